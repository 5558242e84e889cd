"""The gRPC service Query: the same answers as REST, from the same functions."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
import grpc.aio

from faultline.columns import TOTAL
from faultline.v1 import query_pb2 as pb
from faultline.v1 import query_pb2_grpc
from faultline.v1.results_pb2 import Outcome
from faultline_collector.api.board import Board
from faultline_collector.api.events import TooManyReaders
from faultline_collector.api.figures import AvailabilityRow, LatencyRow
from faultline_collector.api.history import History
from faultline_collector.api.pool import Busy
from faultline_collector.api.proofs import says
from faultline_collector.api.questions import (
    AvailabilityQuestion,
    BadQuestion,
    LatencyQuestion,
    Moment,
    OutagesQuestion,
    ResultsQuestion,
    read_question,
)
from faultline_collector.api.rows import Row, rows
from faultline_collector.api.scope import Key
from faultline_collector.fleet import Agent, Target
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import Outage
from faultline_collector.presence import Presence
from faultline_collector.registry.database import RegistryError
from faultline_collector.registry.registry import Transition
from faultline_collector.results import ResultBatch
from faultline_collector.stores.rollups import PERCENTILE_ERROR
from faultline_collector.stores.store import StoreError

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")

_HEARTBEAT_S = 3600.0
_STATUS: dict[type[Exception], grpc.StatusCode] = {
    BadQuestion: grpc.StatusCode.INVALID_ARGUMENT,
    Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManyReaders: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StoreError: grpc.StatusCode.UNAVAILABLE,
    RegistryError: grpc.StatusCode.UNAVAILABLE,
}


class QueryServicer(query_pb2_grpc.QueryServicer):
    """Answers from the board where it can, from the history where it must."""

    def __init__(self, board: Board, history: History) -> None:
        self._board = board
        self._history = history

    def register(self, server: grpc.aio.Server) -> None:
        """Answers on this server; it does so before it starts."""
        query_pb2_grpc.add_QueryServicer_to_server(self, server)

    async def ListOutages(self, request: pb.ListOutagesRequest, context: Context) -> pb.ListOutagesResponse:
        """Outages, newest first."""
        question = partial(_outages_question, request)
        outages = await self._ask(context, lambda: self._history.outages(question()))
        return pb.ListOutagesResponse(outages=map(outage_message, outages))

    async def WatchOutages(self, request: pb.WatchOutagesRequest, context: Context) -> None:  # type: ignore[override]
        """All open outages, then each change.

        It writes by itself, as `Results` does: a generator would be closed late when the reader breaks off.
        """
        try:
            with self._board.events.reader() as reader:
                for outage in self._board.outages_open:
                    await context.write(outage_message(outage))
                async for change in reader.changes(_HEARTBEAT_S):
                    if change is not None and change.outage is not None:
                        await context.write(outage_message(change.outage))
        except TooManyReaders as error:
            await _abort(context, error)

    async def ExplainOutage(self, request: pb.ExplainOutageRequest, context: Context) -> pb.Outage:
        """One outage with its evidence, its life so far and its proof."""
        found = await self._ask(context, lambda: self._story(request.id))
        if found is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no outage {request.id!r}")
        return found

    def _story(self, outage_id: str) -> pb.Outage | None:
        found = self._history.outage(outage_id)
        if found is None:
            return None
        message = outage_message(found[0])
        message.transitions.extend(map(_transition_message, found[1]))
        message.proofs.extend(map(_proof_message, self._history.proofs(outage_id)))
        return message

    async def Availability(
        self, request: pb.AvailabilityRequest, context: Context
    ) -> pb.AvailabilityResponse:
        """The share of good results, by what is asked."""
        question = partial(_availability_question, request)
        answer = await self._ask(context, lambda: self._history.availability(question()))
        return pb.AvailabilityResponse(rows=map(_availability_message, answer.rows), notes=answer.notes)

    async def Latency(self, request: pb.LatencyRequest, context: Context) -> pb.LatencyResponse:
        """Percentiles of a timing, by what is asked."""
        question = partial(_latency_question, request)
        answer = await self._ask(context, lambda: self._history.latency(question()))
        return pb.LatencyResponse(
            rows=map(_latency_message, answer.rows), error=PERCENTILE_ERROR, notes=answer.notes
        )

    async def Results(self, request: pb.ResultsRequest, context: Context) -> None:  # type: ignore[override]
        """Raw results, newest first."""
        streams = self._history.streams
        try:
            messages = _messages(self._history.results(_results_question(request)))
            async with streams.place(), aclosing(streams.steps(messages)) as pieces:
                async for piece in pieces:
                    for message in piece:
                        await context.write(message)
        except tuple(_STATUS) as error:
            await _abort(context, error)

    async def ListAgents(self, request: pb.ListAgentsRequest, context: Context) -> pb.ListAgentsResponse:
        """The fleet."""
        heard, now_us = self._board.presences, self._board.now_us
        return pb.ListAgentsResponse(
            agents=[
                _agent_message(agent, heard.get(agent.id, Presence(agent.id)), now_us)
                for agent in self._board.fleet.agents
            ]
        )

    async def ListTargets(self, request: pb.ListTargetsRequest, context: Context) -> pb.ListTargetsResponse:
        """What is probed."""
        return pb.ListTargetsResponse(targets=map(_target_message, self._board.fleet.targets))

    async def _ask(self, context: Context, work: Callable[[], T]) -> T:
        try:
            return await self._history.pool.ask(work)
        except tuple(_STATUS) as error:
            await _abort(context, error)


async def _abort(context: Context, error: Exception) -> NoReturn:
    await context.abort(_STATUS[type(error)], str(error))
    raise AssertionError("abort always raises")


def _outages_question(request: pb.ListOutagesRequest) -> OutagesQuestion:
    return read_question(
        OutagesQuestion,
        {
            "open": request.open_only,
            "since": Moment(request.since_us) if request.since_us else None,
            "limit": request.limit or 100,
        },
    )


def _availability_question(request: pb.AvailabilityRequest) -> AvailabilityQuestion:
    return read_question(AvailabilityQuestion, _scoped(request) | _divided(request))


def _latency_question(request: pb.LatencyRequest) -> LatencyQuestion:
    words = _scoped(request) | _divided(request)
    return read_question(LatencyQuestion, words | {"timing": request.timing or TOTAL})


def _results_question(request: pb.ResultsRequest) -> ResultsQuestion:
    words = {"agent": request.agent_id, "limit": request.limit or 1000}
    return read_question(ResultsQuestion, _scoped(request) | words)


def _scoped(request: pb.AvailabilityRequest | pb.LatencyRequest | pb.ResultsRequest) -> dict[str, object]:
    return {
        "since": Moment(request.since_us),
        "until": Moment(request.until_us),
        "service": request.service,
        "component": request.component,
        "target": request.target_id,
        "provider": request.provider,
        "region": request.region,
        "network": request.asn,
        "family": request.family,
    }


def _divided(request: pb.AvailabilityRequest | pb.LatencyRequest) -> dict[str, object]:
    step = timedelta(microseconds=request.step_us) if request.step_us else None
    return {"step": step, **({"by": ",".join(request.by)} if request.by else {})}


def outage_message(outage: Outage) -> pb.Outage:
    """An outage as the wire has it."""
    return pb.Outage(
        id=outage.id,
        state=outage.state.value,
        scope=outage.scope.value,
        subject_kind=outage.subject.kind,
        subject_id=outage.subject.id,
        target_ids=outage.target_ids,
        regions=outage.regions,
        asns=outage.asns,
        layer=outage.layer,
        severity=outage.severity,
        confidence=outage.confidence,
        onset_us=outage.onset_us,
        onset_after_us=outage.onset_after_us,
        onset_before_us=outage.onset_before_us,
        detected_us=outage.detected_us,
        confirmed_us=outage.confirmed_us or 0,
        resolved_us=outage.resolved_us or 0,
        why=outage.why,
        family=outage.family,
        evidence_json=json.dumps(dict(outage.evidence)),
    )


def _transition_message(step: Transition) -> pb.Transition:
    return pb.Transition(at_us=step.at_us, state=step.state.value, scope=step.scope.value)


def _proof_message(proof: Proof) -> pb.Proof:
    return pb.Proof(
        agent_id=proof.agent_id,
        target_id=proof.target_id,
        kind=proof.kind,
        failing=proof.failing,
        gathered_us=proof.gathered_us,
        says=says(proof),
        data_json=json.dumps(dict(proof.data)),
    )


def _availability_message(row: AvailabilityRow) -> pb.AvailabilityRow:
    return pb.AvailabilityRow(
        **_key(row.key),
        start_us=row.start_us,
        ok=row.ok,
        failed=row.failed,
        unknown=row.unknown,
        coverage=row.coverage,
        availability=row.availability,
        weighted=row.weighted,
        worst=row.worst,
        worst_region=row.worst_region,
    )


def _latency_message(row: LatencyRow) -> pb.LatencyRow:
    return pb.LatencyRow(
        **_key(row.key),
        start_us=row.start_us,
        count=row.count,
        coverage=row.coverage,
        p50_us=max(0, row.p50_us),
        p95_us=max(0, row.p95_us),
        p99_us=max(0, row.p99_us),
        weighted_p50_us=max(0, row.weighted_p50_us),
        worst_p95_us=max(0, row.worst_p95_us),
        worst_region=row.worst_region,
    )


def _key(key: Key) -> dict[str, Any]:
    words = key._asdict()
    return words | {"target_id": words.pop("target"), "asn": words.pop("network")}


def _agent_message(agent: Agent, presence: Presence, now_us: int) -> pb.AgentInfo:
    return pb.AgentInfo(
        agent_id=agent.id,
        region=agent.region,
        asn=agent.asn,
        state=presence.state(now_us).value,
        last_seen_us=presence.last_seen_us,
        version=presence.version or agent.version,
        spool_age_us=presence.spool_age_us,
        condition=presence.condition,
        ca_bundle=presence.ca_bundle or agent.ca_bundle,
    )


def _target_message(target: Target) -> pb.TargetInfo:
    return pb.TargetInfo(
        target_id=target.id,
        service=target.service,
        component=target.component,
        provider=target.provider,
        kind=target.kind,
        interval_us=round(target.interval_s * 1e6),
        family=target.family,
    )


def _messages(batches: Iterable[ResultBatch]) -> Iterator[list[pb.ResultRow]]:
    for batch in batches:
        yield [_result_message(row) for row in rows(batch)]


def _result_message(row: Row) -> pb.ResultRow:
    return pb.ResultRow(
        agent_id=row.source.agent_id,
        spool_id=row.source.spool_id,
        sequence=row.sequence,
        target_id=row.target,
        started_us=row.started_us,
        offset_us=row.offset_us,
        received_us=row.received_us,
        attempt=row.attempt,
        outcome=Outcome.ValueType(row.outcome),
        status=row.status,
        family=row.family,
        flags=row.flags,
        timings_us=row.timings_us,
        detail=row.detail,
    )
