"""Takes the pictures in docs/screenshots: `python -m tests.browser.screenshots [FOLDER]`."""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.scenes import SCENES
from tests.browser.stage import Stage

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
DESKTOP, PHONE = (1280, 800), (390, 844)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: whose screen, which colours, which moment, and what is opened first."""

    name: str
    screen: tuple[int, int]
    colours: str
    scene: str
    fragment: str = ""
    whole: bool = False
    click: str = ""


SHOTS = (
    Shot("map-desktop-dark", DESKTOP, "dark", "global"),
    Shot("map-desktop-light", DESKTOP, "light", "regional"),
    Shot("map-phone-light", PHONE, "light", "regional", "#service=twitter"),
    Shot("map-phone-dark", PHONE, "dark", "global", "#service=twitter"),
    Shot("outage-desktop-light", DESKTOP, "light", "regional", "#outage=regional-twitter"),
    Shot("outage-phone-dark", PHONE, "dark", "global", "#outage=global-twitter"),
    Shot("whole-phone-dark", PHONE, "dark", "global", whole=True),
    Shot("zoom-phone-light", PHONE, "light", "regional", "#service=twitter", click=".map .bar button"),
    Shot("region-desktop-dark", DESKTOP, "dark", "global", click="[data-region=in-west]"),
    Shot("calm-phone-light", PHONE, "light", "calm"),
    Shot("blind-desktop-dark", DESKTOP, "dark", "blind"),
)


def take(browser: Browser, shot: Shot, folder: Path) -> None:
    """Takes one picture from a collector of its own."""
    width, height = shot.screen
    with tempfile.TemporaryDirectory() as scratch, Stage(f"sqlite:///{scratch}/registry.db") as stage:
        stage.show(SCENES[shot.scene]())
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if shot.colours == "dark" else "light",
            timezone_id="Asia/Kolkata",
            locale="en-IN",
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.goto(stage.url + shot.fragment)
        settle(page)
        if shot.click:
            page.click(shot.click)
        page.screenshot(path=folder / f"{shot.name}.png", full_page=shot.whole)
        context.close()


def settle(page: Page) -> None:
    """Waits until the countries are drawn and the letters are there."""
    page.wait_for_selector("path.land")
    page.evaluate("document.fonts.ready")
    if "outage=" in page.url:
        page.wait_for_selector(".sheet .facts")


def main(folder: Path) -> None:
    """Takes all pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed (as root: make servers)")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, "--no-sandbox"])
        for shot in SHOTS:
            take(browser, shot, folder)
            print(f"{shot.name}: {(folder / f'{shot.name}.png').stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
