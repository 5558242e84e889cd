"""Debian's Chromium, the page in it, and the collector behind it."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.stage import Stage

WEB = Path(__file__).parents[2] / "collector" / "web"

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    """A Chromium of the module's own: Playwright's loop must not outlive it, other tests have loops too."""
    path = program("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*FLAGS, "--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def build() -> ModuleType:
    """The page's build script, with what the lock file names installed."""
    spec = importlib.util.spec_from_file_location("build_page", WEB / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.install()
    return module


@pytest.fixture(scope="session")
def axe(build: ModuleType) -> str:
    """The script of axe-core."""
    assert build.WEB == WEB
    return (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """The collector's web application, on a port of its own."""
    with Stage(f"sqlite:///{tmp_path}/registry.db") as served:
        yield served


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of someone in India with a desktop screen."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, timezone_id="Asia/Kolkata", locale="en-IN"
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()
