"""Nothing of the page comes from elsewhere, and nothing leaves."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.scenes import twitter_everywhere
from tests.browser.stage import Stage

pytestmark = pytest.mark.browser


def test_no_request_leaves_the_machine_and_nothing_offends_the_policy(page: Page, stage: Stage) -> None:
    """Everything is asked of the collector itself; the browser reports no error and no refused content."""
    hosts: set[str] = set()
    said: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    stage.show(twitter_everywhere())
    answer = page.goto(stage.url)
    page.wait_for_selector("path.land")
    page.locator("[data-outage=global-twitter] button").click()
    page.wait_for_selector(".sheet .facts")
    page.evaluate("document.fonts.ready")
    assert hosts == {f"127.0.0.1:{stage.port}"}
    assert said == []
    assert answer is not None
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_page_is_small(page: Page, stage: Stage) -> None:
    """What a phone loads at first is at most 150 kB, the letters included."""
    sizes: list[int] = []
    page.on("requestfinished", lambda r: sizes.append(r.sizes()["responseBodySize"]))
    stage.show(twitter_everywhere())
    page.goto(stage.url)
    page.wait_for_selector("path.land")
    page.evaluate("document.fonts.ready")
    assert sum(sizes) <= 150_000, sizes
