"""The web server in the collector's loop."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from faultline_collector.ingest.server import CannotListen
from faultline_collector.listening import WebServer


async def hello(request: Request) -> Response:
    """Greets."""
    return PlainTextResponse("hello")


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"], ids=["v4", "v6"])
async def test_it_serves_until_it_is_stopped(address: str) -> None:
    """It answers at the address that it names, from the moment that it listens, and ends when told, twice."""
    server = WebServer(Starlette(routes=[Route("/", hello)]), address)
    server.listen()
    serving = asyncio.create_task(server.run_until_stopped())
    async with httpx.AsyncClient(timeout=30) as client:
        assert (await client.get(server.url)).text == "hello"
    server.stop()
    server.stop()
    await asyncio.wait_for(serving, 30)


async def test_an_address_that_cannot_be_had_is_a_sentence() -> None:
    """Before anything is served, one sentence says that the address cannot be had."""
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:80: Cannot assign"):
        WebServer(Starlette(), "192.0.2.1:80")
