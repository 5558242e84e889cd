"""Every address of the API: one line a question in one table, from which routes and OpenAPI are made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from faultline_collector.api import answers
from faultline_collector.api.board import Board
from faultline_collector.api.export import results_csv, rollups_csv
from faultline_collector.api.health import Health
from faultline_collector.api.history import History, clock_us
from faultline_collector.api.prepared import Lazy, Prepared, prepare_answer, respond
from faultline_collector.api.questions import (
    AvailabilityQuestion,
    ExportQuestion,
    LatencyQuestion,
    OutagesQuestion,
    Question,
    ResultsQuestion,
)
from faultline_collector.api.rows import availability_answer, latency_answer, ndjson
from faultline_collector.api.stories import Stories
from faultline_collector.api.streams import EventStream, LineStream
from faultline_collector.metrics import Metrics

JSON = "application/json"
CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class Api:
    """What the endpoints answer from."""

    board: Board
    history: History
    metrics: Metrics
    health: Health
    stories: Stories
    document: Lazy
    clock: Callable[[], int] = clock_us
    heartbeat_s: float = 15.0


Q = TypeVar("Q", bound=Question)


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Q]):
    """One address: what it takes, what it gives, and who answers."""

    path: str
    name: str
    summary: str
    answer: Callable[[Api, Request, Q], Awaitable[Response]]
    gives: type[BaseModel] | str
    takes: type[Question] = Question
    media_type: str = JSON
    errors: tuple[int, ...] = field(default=())


async def _state(api: Api, request: Request, _: Question) -> Response:
    return respond(request, api.board.state)


async def _services(api: Api, request: Request, _: Question) -> Response:
    return respond(request, api.board.services.read())


async def _agents(api: Api, request: Request, _: Question) -> Response:
    return respond(request, api.board.agents.read())


async def _targets(api: Api, request: Request, _: Question) -> Response:
    return respond(request, api.board.targets.read())


async def _outages(api: Api, request: Request, question: OutagesQuestion) -> Response:
    if question == OutagesQuestion():
        return respond(request, api.board.outages.read())
    if question == OutagesQuestion(open=True):
        return respond(request, api.board.open_outages.read())
    return respond(request, await api.history.pool.ask(partial(_tell_outages, api, question)))


def _tell_outages(api: Api, question: OutagesQuestion) -> Prepared:
    rows = [answers.outage_answer(outage) for outage in api.history.outages(question)]
    return prepare_answer(answers.OutagesAnswer(outages=rows))


async def _outage(api: Api, request: Request, _: Question) -> Response:
    outage_id = request.path_params["id"]
    prepared = await api.stories.read(outage_id)
    if prepared is None:
        return JSONResponse({"error": f"there is no outage {outage_id!r}"}, 404)
    return respond(request, prepared)


async def _availability(api: Api, request: Request, question: AvailabilityQuestion) -> Response:
    return respond(request, await api.history.pool.ask(partial(_tell_availability, api, question)))


def _tell_availability(api: Api, question: AvailabilityQuestion) -> Prepared:
    return prepare_answer(availability_answer(api.history.availability(question), question.by))


async def _latency(api: Api, request: Request, question: LatencyQuestion) -> Response:
    return respond(request, await api.history.pool.ask(partial(_tell_latency, api, question)))


def _tell_latency(api: Api, question: LatencyQuestion) -> Prepared:
    found = api.history.latency(question)
    return prepare_answer(latency_answer(found, question.by, question.timing))


async def _results(api: Api, request: Request, question: ResultsQuestion) -> Response:
    return LineStream(api.history.streams, ndjson(api.history.results(question)))


async def _export_results(api: Api, request: Request, question: ExportQuestion) -> Response:
    lines = results_csv(api.history.export_results(question))
    return LineStream(api.history.streams, lines, media_type=CSV)


async def _export_rollups(api: Api, request: Request, question: ExportQuestion) -> Response:
    lines = rollups_csv(api.history.export_rollups(question), question.timing)
    return LineStream(api.history.streams, lines, media_type=CSV)


async def _events(api: Api, request: Request, _: Question) -> Response:
    return EventStream(api.board, api.heartbeat_s)


async def _document(api: Api, request: Request, _: Question) -> Response:
    return respond(request, api.document.read())


async def _metrics(api: Api, request: Request, _: Question) -> Response:
    return Response(api.metrics.text(), media_type="text/plain; version=0.0.4")


async def _healthz(api: Api, request: Request, _: Question) -> Response:
    problem = api.health.problem(api.clock())
    body = answers.HealthAnswer(
        ok=not problem, problem=problem, broker=api.health.broker_problem, store=api.health.store_away
    ).model_dump_json()
    return Response(body, 503 if problem else 200, {"Cache-Control": "no-store"}, JSON)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("/api/v1/state", "state", "Everything that the map shows", _state, answers.StateAnswer),
    Endpoint(
        "/api/v1/events",
        "events",
        "Server-sent events: `state` at once and with every change, `outage` for every outage that changes",
        _events,
        "Events; `data` of `state` is a StateAnswer, of `outage` an OutageAnswer",
        media_type="text/event-stream",
        errors=(503,),
    ),
    Endpoint(
        "/api/v1/outages",
        "outages",
        "Outages, newest first; without parameters those that are open or ended within a day",
        _outages,
        answers.OutagesAnswer,
        takes=OutagesQuestion,
        errors=(400, 503),
    ),
    Endpoint(
        "/api/v1/outages/{id}",
        "outage",
        "One outage with its evidence and its life",
        _outage,
        answers.OutageStory,
        errors=(404, 503),
    ),
    Endpoint("/api/v1/services", "services", "Services", _services, answers.ServicesAnswer),
    Endpoint("/api/v1/agents", "agents", "The fleet", _agents, answers.AgentsAnswer),
    Endpoint("/api/v1/targets", "targets", "What is probed", _targets, answers.TargetsAnswer),
    Endpoint(
        "/api/v1/availability",
        "availability",
        "Share of good results by step and by what you choose, with the share of time that is known",
        _availability,
        answers.AvailabilityAnswer,
        takes=AvailabilityQuestion,
        errors=(400, 503),
    ),
    Endpoint(
        "/api/v1/latency",
        "latency",
        "Percentiles of a timing by step and by what you choose, with the share of time that is known",
        _latency,
        answers.LatencyAnswer,
        takes=LatencyQuestion,
        errors=(400, 503),
    ),
    Endpoint(
        "/api/v1/results",
        "results",
        "Raw results, newest first, one a line; a last line with `error` says that the rest is missing",
        _results,
        answers.ResultAnswer,
        takes=ResultsQuestion,
        media_type="application/x-ndjson",
        errors=(400, 503),
    ),
    Endpoint(
        "/api/v1/export/results",
        "export-results",
        "All results of a window by receipt; a last line with `error` says that the rest is missing",
        _export_results,
        "Comma-separated values with a line of names",
        takes=ExportQuestion,
        media_type=CSV,
        errors=(400, 503),
    ),
    Endpoint(
        "/api/v1/export/rollups",
        "export-rollups",
        "All roll-ups of a window by time; a last line with `error` says that the rest is missing",
        _export_rollups,
        "Comma-separated values with a line of names",
        takes=ExportQuestion,
        media_type=CSV,
        errors=(400, 503),
    ),
    Endpoint("/api/v1/openapi.json", "openapi", "This document", _document, "An OpenAPI document"),
    Endpoint(
        "/metrics",
        "metrics",
        "What the collector counts of itself, for Prometheus",
        _metrics,
        "Metrics in the text format",
        media_type="text/plain",
    ),
    Endpoint(
        "/healthz",
        "healthz",
        "200 while the collector judges and stores, else 503",
        _healthz,
        answers.HealthAnswer,
        errors=(503,),
    ),
)
