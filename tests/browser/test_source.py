"""The page's source: its own tests, its types, its lock file and its build."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.browser

WEB = Path(__file__).parents[2] / "collector" / "web"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """The build script, with what the lock file names installed."""
    spec = importlib.util.spec_from_file_location("build_page", WEB / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.install()
    return module


@pytest.mark.timeout(180)
def test_types_are_sound(build: ModuleType) -> None:
    """svelte-check with TypeScript's strictest settings finds nothing."""
    build.run_npm("run", "check")


@pytest.mark.timeout(180)
def test_unit_tests_of_the_page_pass(build: ModuleType) -> None:
    """vitest: the sentences, the order of outages, the map's keys."""
    build.run_npm("test")


def test_lock_file_names_no_registry() -> None:
    """Whoever builds uses the registry that their npm is set up for."""
    lock = (WEB / "package-lock.json").read_text(encoding="utf-8")
    assert "integrity" in lock
    assert not re.search(r'"resolved"', lock)


def test_build_is_repeated_only_when_the_source_changed(build: ModuleType) -> None:
    """A page whose stamp has the source's digest is left alone."""
    build.build_page()
    assert build.build_page() is False


def test_failed_build_says_what_npm_said(build: ModuleType) -> None:
    """The sentence names the command."""
    with pytest.raises(build.PageNotBuilt, match="`npm run nothing` failed"):
        build.run_npm("run", "nothing")
