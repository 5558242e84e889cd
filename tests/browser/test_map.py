"""The map shows who can reach what, and what nobody knows."""

import pytest
from playwright.sync_api import Page, expect

from faultline_collector.correlate.engine import Health
from tests.browser.scenes import Scene, calm, lost_contact, twitter_everywhere, twitter_in_india
from tests.browser.stage import Stage

pytestmark = pytest.mark.browser


def look(page: Page, stage: Stage, scene: Scene, fragment: str = "") -> None:
    """Opens the page on a scene, and waits for its countries."""
    stage.show(scene)
    page.goto(stage.url + fragment)
    page.wait_for_selector("path.land")


def test_map_draws_the_countries_and_a_dot_a_region(page: Page, stage: Stage) -> None:
    """The atlas has 177 countries with Antarctica, which is left out."""
    look(page, stage, calm())
    expect(page.locator("path.land")).to_have_count(176)
    expect(page.locator("[data-region]")).to_have_count(12)
    expect(page.locator("[data-country=IN]")).to_have_attribute("data-health", "ok")
    expect(page.get_by_role("heading", level=1)).to_have_text("All services look fine from all 12 regions.")


def test_country_has_the_health_of_its_worst_region(page: Page, stage: Stage) -> None:
    """Two of India's regions fail: India is down, the third dot is not, and no other country is."""
    look(page, stage, twitter_in_india())
    expect(page.locator("[data-country=IN]")).to_have_attribute("data-health", "down")
    expect(page.locator("[data-region=in-west]")).to_have_attribute("data-health", "down")
    expect(page.locator("[data-region=in-east]")).to_have_attribute("data-health", "ok")
    expect(page.locator("path.land[data-health=down]")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Twitter fails from India (2 of 3 regions). Everywhere else it works."
    )


def test_no_data_is_hatched_and_never_coloured_as_working(page: Page, stage: Stage) -> None:
    """A country without agents and a region in the dark have the pattern and the shape of no data."""
    look(page, stage, twitter_everywhere(), "#service=spotify")
    nobody, working = page.locator("[data-country=AU]"), page.locator("[data-country=US]")
    assert "fill-unknown" in fill(page, nobody.get_attribute("data-country"))
    assert "fill-unknown" not in fill(page, working.get_attribute("data-country"))
    dark = page.locator("[data-region=br-east]")
    expect(dark).to_have_attribute("data-health", "unknown")
    expect(dark).to_have_attribute("aria-label", "East Brazil, Brazil: no data. 0 of 3 agents live.")


@pytest.mark.parametrize(
    ("health", "paint"),
    [
        (Health.SUSPECTED, "fill-suspected"),
        (Health.DEGRADED, "fill-degraded"),
        (Health.DOWN, "rgb"),
        (Health.OK, "rgb"),
    ],
    ids=lambda value: str(value),
)
def test_health_is_told_by_pattern_beside_colour(
    page: Page, stage: Stage, health: Health, paint: str
) -> None:
    """Suspected and degraded have dots of their own; down and working are solid."""
    look(page, stage, Scene({("github", "de-west"): health}))
    assert paint in fill(page, "DE")


def test_choosing_a_service_recolours_the_map_and_the_sentence(page: Page, stage: Stage) -> None:
    """The map of Signal is fine while Twitter's is not; the address keeps the choice."""
    look(page, stage, twitter_in_india())
    box = page.get_by_role("combobox", name="Service")
    box.fill("sig")
    box.press("Enter")
    expect(page.locator("[data-country=IN]")).to_have_attribute("data-health", "ok")
    expect(page.get_by_role("heading", level=1)).to_have_text("Signal works from all 12 regions.")
    expect(page.locator("[data-outage]")).to_have_count(0)
    assert page.url.endswith("#service=signal")


def test_viewer_in_india_is_told_whether_it_is_them(page: Page, stage: Stage) -> None:
    """The time zone says India; another country can be chosen, and is kept."""
    look(page, stage, twitter_in_india(), "#service=twitter")
    said = page.locator(".from-here")
    expect(said).to_have_text("In India it fails from West India and North India and works from East India.")
    page.get_by_label("I am in").select_option("Germany")
    expect(said).to_contain_text("From Germany it works so far.")
    page.reload()
    expect(said).to_contain_text("From Germany it works so far.")


def test_lost_contact_is_not_taken_for_an_outage_of_services(page: Page, stage: Stage) -> None:
    """With every agent silent nothing is down and nothing works: it is not known."""
    look(page, stage, lost_contact())
    expect(page.get_by_role("heading", level=1)).to_contain_text("We cannot see right now")
    expect(page.locator("path.land:not([data-health=unknown])")).to_have_count(0)
    expect(page.locator(".from-here")).to_have_count(0)


def test_table_says_the_same_as_the_map(page: Page, stage: Stage) -> None:
    """Every service from every region, the viewer's own country first, the failing service on top."""
    look(page, stage, twitter_in_india())
    first = page.locator(".matrix tbody tr").first
    expect(first).to_contain_text("Twitter")
    cells = first.locator("td").all_inner_texts()
    assert [cell.strip() for cell in cells[:4]] == ["works", "down", "down", "works"]
    expect(page.locator(".matrix tbody tr")).to_have_count(12)


def fill(page: Page, country: str | None) -> str:
    """What a country is painted with."""
    return str(page.evaluate(f"getComputedStyle(document.querySelector('[data-country={country}]')).fill"))
