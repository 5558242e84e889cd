"""The page's files, and what browsers are told about them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faultline_collector.api.site import Site
from tests.collector.api.worlds import World, make_world

HASHED = "assets/index-Dk3_x9aQ.js"


@pytest.fixture
def built(tmp_path: Path) -> Iterator[World]:
    """A world with a built page."""
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>Faultline</title>" + " " * 600)
    (page / HASHED).write_text("export const x = 1;")
    (page / "theme.js").write_text("1;")
    (page / "favicon.svg").write_text("<svg/>")
    world = make_world(tmp_path, site=Site(page))
    yield world
    world.close()


async def get(world: World, path: str, **headers: str) -> httpx.Response:
    """What a browser gets."""
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


async def test_the_root_is_the_page(built: World) -> None:
    """Asked for again by its tag each time."""
    page = await get(built, "/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-encoding"] == "gzip"
    assert (await get(built, "/", **{"If-None-Match": page.headers["etag"]})).status_code == 304


async def test_files_with_a_hash_in_their_name_are_kept_for_ever(built: World) -> None:
    """Others are not."""
    hashed, plain = await get(built, f"/{HASHED}"), await get(built, "/theme.js")
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert hashed.headers["content-type"].startswith("text/javascript")
    assert plain.headers["cache-control"] == "no-cache"
    assert (await get(built, "/favicon.svg")).headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("path", ["/", "/api/v1/state", "/nothing"])
async def test_every_answer_keeps_browsers_at_home(built: World, path: str) -> None:
    """Nothing is loaded from elsewhere, nothing is guessed, nobody frames it."""
    headers = (await get(built, path)).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/../registry.db", "/%2e%2e/registry.db", "/assets/../../registry.db", "//etc/passwd"]
)
async def test_nothing_beside_the_page_is_served(built: World, path: str) -> None:
    """Files are looked up by name among those that were read at the start."""
    assert (await get(built, path)).status_code == 404


async def test_without_a_built_page_the_root_says_how_to_build_it(world: World) -> None:
    """In a plain sentence."""
    page = await get(world, "/")
    assert page.status_code == 200
    assert "The page is not built. Run <code>make page</code>" in page.text
