"""The page is for everyone: by keyboard, on a phone, in the dark, by ear."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.scenes import SCENES, Scene, twitter_everywhere, twitter_in_india
from tests.browser.stage import Stage

pytestmark = pytest.mark.browser


def test_keyboard_reaches_everything_and_focus_is_seen(page: Page, stage: Stage) -> None:
    """Tab walks through the strip, the choices, map, outages and table, always with an outline."""
    stage.show(twitter_in_india())
    page.goto(stage.url)
    page.wait_for_selector("path.land")
    walked: list[dict[str, Any]] = []
    while not walked or walked[-1]["name"]:
        page.keyboard.press("Tab")
        walked.append(page.evaluate(FOCUSED))
    assert len(walked) < 30
    walked.pop()
    names = [step["name"] for step in walked]
    for name in (
        "To the outages",
        "colours",
        "service",
        "here",
        "Zoom to India",
        "West India, India",
        "Twitter",
        "Ended in",
    ):
        assert any(name in found for found in names), (name, names)
    assert not [step for step in walked if not step["seen"]]


FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  const ring = at.querySelector('.reach');
  const seen = ring ? getComputedStyle(ring).strokeWidth !== '1px' : style.outlineStyle !== 'none';
  const said = at.getAttribute('aria-label') ?? (at.textContent.trim() || at.id);
  return { name: at === document.body ? '' : said, seen };
}"""


def test_arrow_keys_walk_the_map_and_enter_tells_of_a_region(page: Page, stage: Stage) -> None:
    """One stop for Tab, then from region to region; Enter opens its card and Escape closes it."""
    stage.show(twitter_in_india())
    page.goto(stage.url)
    page.locator("[data-region=in-west]").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-region=in-north]")).to_be_focused()
    page.keyboard.press("Enter")
    card = page.get_by_role("region", name="Region North India")
    expect(card).to_contain_text("Twitter")
    expect(card).to_contain_text("The other 11 services work.")
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    expect(page.locator("[data-region=in-north]")).to_be_focused()


def test_outage_opens_by_enter_with_its_evidence_and_closes_by_escape(page: Page, stage: Stage) -> None:
    """Who fails, who does not, what else was considered, how it went; the focus returns where it was."""
    stage.show(twitter_in_india())
    page.goto(stage.url)
    opener = page.locator("[data-outage=regional-twitter] button")
    opener.focus()
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="Twitter")
    expect(sheet).to_contain_text("Who fails, and who does not")
    expect(sheet.locator("tr", has_text="West India").first).to_contain_text("3")
    expect(sheet).to_contain_text("Provider: Fastly")
    expect(sheet.locator(".timeline li")).to_have_count(1)
    assert "outage=regional-twitter" in page.url
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(opener).to_be_focused()
    assert "outage=" not in page.url


def test_unknown_outage_in_the_address_gets_a_sentence(page: Page, stage: Stage) -> None:
    """A link to an outage that nobody remembers."""
    stage.show(twitter_in_india())
    page.goto(stage.url + "#outage=forgotten")
    expect(page.get_by_role("dialog")).to_contain_text("This outage is not known any more.")


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_phone_has_no_sideways_scrolling(page: Page, stage: Stage, scene: Callable[[], Scene]) -> None:
    """At the width of a phone nothing is wider than the screen; the table scrolls within itself."""
    stage.show(scene())
    page.set_viewport_size({"width": 390, "height": 780})
    page.goto(stage.url)
    page.wait_for_selector("path.land")
    for width in (390, 360, 320):
        page.set_viewport_size({"width": width, "height": 780})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.get_by_role("heading", level=1)).to_be_in_viewport()


def test_theme_follows_the_system_and_can_be_turned(browser: Browser, stage: Stage) -> None:
    """Dark by preference; the toggle makes it light, and it stays so after a reload."""
    stage.show(twitter_in_india())
    page = browser.new_page(color_scheme="dark")
    page.goto(stage.url)
    assert luminance(page) < 60
    page.get_by_role("button", name="Light colours").click()
    assert luminance(page) > 600
    page.reload()
    page.wait_for_selector("h1")
    assert luminance(page) > 600
    page.close()


def test_nothing_moves_for_those_who_prefer_that(browser: Browser, stage: Stage) -> None:
    """With reduced motion no animation runs."""
    stage.show(twitter_everywhere())
    page = browser.new_page(reduced_motion="reduce")
    page.goto(stage.url)
    page.wait_for_selector("path.land")
    assert page.evaluate("document.getAnimations().length") == 0
    page.close()


@pytest.mark.parametrize(
    ("colours", "fragment"),
    [("dark", ""), ("light", ""), ("light", "#outage=global-twitter")],
    ids=["dark", "light", "outage"],
)
def test_axe_finds_nothing(browser: Browser, axe: str, stage: Stage, colours: Any, fragment: str) -> None:
    """Names, roles, contrast and order, by the rules of axe-core."""
    stage.show(twitter_everywhere())
    page = browser.new_page(color_scheme=colours, reduced_motion="reduce")
    page.goto(stage.url + fragment)
    page.wait_for_selector(".sheet .facts" if fragment else "path.land")
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    assert not found, json.dumps([(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found], indent=1)
    page.close()


def luminance(page: Page) -> int:
    """The sum of the background's red, green and blue."""
    return int(
        page.evaluate(
            "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).slice(0, 3)"
            ".reduce((sum, part) => sum + Number(part), 0)"
        )
    )
