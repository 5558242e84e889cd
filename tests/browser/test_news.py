"""What happens appears by itself, and what is old says so."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from faultline_collector.outages import State
from tests.browser.scenes import Scene, calm, now_us, twitter_everywhere, twitter_in_india
from tests.browser.stage import Stage

pytestmark = pytest.mark.browser

# Notes, by the page's own clock, when each outage is first seen in the list and when the map first shows it.
WATCH = """
window.seen = {};
const note = (what) => { window.seen[what] ??= Date.now(); };
new MutationObserver(() => {
  for (const card of document.querySelectorAll('[data-list=open] [data-outage]')) note(card.dataset.outage);
  if (document.querySelector('[data-region=in-west][data-health=down]')) note('map');
  if (document.querySelector('h1').textContent.startsWith('Twitter fails')) note('headline');
}).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
"""


def test_outage_appears_without_reload_within_two_seconds(page: Page, stage: Stage) -> None:
    """List, map and headline show it within 2 s of its declaration, in the page that was open before."""
    stage.show(calm())
    page.goto(stage.url)
    page.wait_for_selector("path.land")
    expect(page.locator("[data-outage]")).to_have_count(0)
    page.evaluate(WATCH)
    declared_ms = time.time() * 1000
    stage.show(twitter_in_india())
    page.wait_for_function("window.seen.map && window.seen.headline && window.seen['regional-twitter']")
    seen = page.evaluate("window.seen")
    delays = {what: at - declared_ms for what, at in seen.items()}
    assert all(-1 <= delay <= 2000 for delay in delays.values()), delays


def test_outage_widens_in_place_and_ends_in_the_list_of_the_ended(page: Page, stage: Stage) -> None:
    """Regional becomes global, then resolved, while the page stays open."""
    stage.show(twitter_in_india())
    page.goto(stage.url)
    expect(page.locator("[data-list=open] [data-outage=regional-twitter]")).to_be_visible()
    everywhere = twitter_everywhere()
    stage.show(everywhere)
    expect(page.get_by_role("status")).to_contain_text("Twitter is failing for everyone.")
    over = [replace(o, state=State.RESOLVED, resolved_us=now_us()) for o in everywhere.open_outages]
    stage.show(Scene({}, ended_outages=tuple(over)))
    expect(page.get_by_role("status")).to_contain_text("All services look fine from all 12 regions.")
    expect(page.locator("[data-list=open] [data-outage]")).to_have_count(0)
    page.get_by_role("button", name="Ended in the last 24 hours").click()
    expect(page.locator("[data-list=ended] [data-outage=global-twitter]")).to_be_visible()


def test_state_is_called_stale_when_the_collector_goes_and_live_when_it_is_back(
    page: Page, stage: Stage, tmp_path: Path
) -> None:
    """Without a connection nothing is green, and the page says from when it is; it reconnects by itself."""
    stage.show(calm())
    page.goto(stage.url)
    page.wait_for_selector("path.land")
    expect(page.get_by_text("Live, heard")).to_be_visible()
    green = fill_of_india(page)
    stage.close()
    expect(page.get_by_role("alert")).to_contain_text("Not connected since")
    expect(page.get_by_role("alert")).to_contain_text("What you see is from")
    expect(page.get_by_text("Last known, not live")).to_be_visible()
    page.wait_for_function(
        "green => getComputedStyle(document.querySelector('[data-country=IN]')).fill != green", arg=green
    )
    with Stage(f"sqlite:///{tmp_path}/again.db", port=stage.port) as again:
        again.show(twitter_in_india())
        expect(page.get_by_role("alert")).to_have_count(0, timeout=30_000)
        expect(page.get_by_role("status")).to_contain_text("Twitter fails from India")


def test_page_that_never_reached_the_collector_says_whose_fault_it_may_be(page: Page, stage: Stage) -> None:
    """Without any state there is no map to believe in."""
    page.route("**/api/v1/**", lambda route: route.abort())
    page.goto(stage.url)
    expect(page.get_by_role("alert")).to_contain_text("We cannot reach Faultline.")
    expect(page.locator("path.land")).to_have_count(0)


def test_quiet_page_asks_and_believes_a_collector_that_says_it_is_unwell(page: Page, stage: Stage) -> None:
    """A collector that has stopped judging may still answer: then what it shows is old, and is called so."""
    page.clock.install()
    stage.show(calm())
    page.goto(stage.url)
    page.wait_for_selector("path.land")
    stage.ail("the disk is full")
    page.clock.fast_forward(12_000)
    expect(page.get_by_role("alert")).to_contain_text("the store does not take results: the disk is full")
    stage.ail("")
    page.clock.fast_forward(12_000)
    expect(page.get_by_role("alert")).to_have_count(0)


def fill_of_india(page: Page) -> str:
    """What India is painted with, once the first paint has settled."""
    page.wait_for_function(
        "document.getAnimations().every(a => a.effect.getTiming().iterations === Infinity)"
    )
    return str(page.evaluate("getComputedStyle(document.querySelector('[data-country=IN]')).fill"))
