"""The web application: the API, the page, and nothing that a viewer could make the store work for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from faultline_collector.api import openapi
from faultline_collector.api.board import Board
from faultline_collector.api.endpoints import ENDPOINTS, Api, Endpoint
from faultline_collector.api.health import Health
from faultline_collector.api.history import History, clock_us
from faultline_collector.api.pool import Busy
from faultline_collector.api.prepared import Lazy, prepare
from faultline_collector.api.questions import BadQuestion, Question, read_question
from faultline_collector.api.site import SecurityHeaders, Site
from faultline_collector.api.stories import Stories
from faultline_collector.api.streams import refusal
from faultline_collector.metrics import Metrics
from faultline_collector.registry.database import RegistryError
from faultline_collector.stores.store import StoreError


def web_app(
    board: Board,
    history: History,
    metrics: Metrics,
    health: Health,
    *,
    site: Site | None = None,
    clock: Callable[[], int] = clock_us,
    heartbeat_s: float = 15.0,
) -> Starlette:
    """Everything that listens on the web address; call `board.close()` before the server stops."""
    api = Api(
        board=board,
        history=history,
        metrics=metrics,
        health=health,
        stories=Stories(board, history),
        document=Lazy(lambda: prepare(openapi.text().encode())),
        clock=clock,
        heartbeat_s=heartbeat_s,
    )
    return Starlette(
        routes=[*(_route(api, endpoint) for endpoint in ENDPOINTS), _page(site or Site())],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers=_REFUSALS,
        lifespan=partial(_lifespan, api),
    )


def _route(api: Api, endpoint: Endpoint[Any]) -> Route:
    async def answer(request: Request) -> Response:
        question = _read(endpoint.takes, request)
        return await endpoint.answer(api, request, question)

    return Route(endpoint.path, answer, name=endpoint.name)


def _read(model: type[Question], request: Request) -> Question:
    return Question() if model is Question else read_question(model, request.query_params)


def _page(site: Site) -> Route:
    async def answer(request: Request) -> Response:
        found = site.answer(request)
        if found is None:
            raise HTTPException(404, f"there is nothing at {request.url.path}")
        return found

    return Route("/{path:path}", answer, name="page")


@asynccontextmanager
async def _lifespan(api: Api, app: Starlette) -> AsyncIterator[None]:
    yield
    api.board.close()
    api.history.close()


async def _bad(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _busy(request: Request, error: Exception) -> Response:
    return refusal(error)


async def _broken(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the collector has a fault of its own; its log says which"}, 500)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


_REFUSALS: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    BadQuestion: _bad,
    Busy: _busy,
    StoreError: _busy,
    RegistryError: _busy,
    HTTPException: _http,
    Exception: _broken,
}
