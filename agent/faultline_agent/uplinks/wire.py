"""The agent's words as messages of faultline.v1, and the collector's messages as the agent's words."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from faultline import PROTOCOL
from faultline.columns import MAX_DETAIL_LENGTH, MAX_TIMINGS, NOT_REACHED, TOTAL
from faultline.ranges import Ranges
from faultline.v1 import results_pb2, session_pb2
from faultline_agent.results import Result
from faultline_agent.uplinks.uplink import (
    Ack,
    AssignedTarget,
    Assignment,
    Drain,
    Evidence,
    Explain,
    Heartbeat,
    Hello,
    LostRange,
    Order,
    ProbeNow,
    UplinkError,
    Welcome,
)

_LONGEST_US = 2**31 - 1

_MOST_SEQUENCE = 2**62
"""Beyond it no spool ever comes, nor could it go on from there."""

_MOST_NESTED = 20
"""How deep the settings of a target may be nested; those of all kinds are flat."""


def encode_batch(results: Sequence[Result], first_sequence: int) -> bytes:
    """Results as columns, in no lane yet."""
    targets, target = _dictionary(result.target_id for result in results)
    details, detail = _dictionary(result.detail[:MAX_DETAIL_LENGTH] for result in results if result.detail)
    with_detail = iter(detail)
    return results_pb2.Batch(
        first_sequence=first_sequence,
        count=len(results),
        target_ids=targets,
        target=target,
        started_delta_us=_deltas(result.started_us for result in results),
        attempt=_column(result.attempt for result in results),
        outcome=cast("list[results_pb2.Outcome.ValueType]", [int(result.outcome) for result in results]),
        status=_column(result.status for result in results),
        family=_column(result.family for result in results),
        timings=_timings(results),
        flags=_column(result.flags for result in results),
        details=details,
        detail=_column(1 + next(with_detail) if result.detail else 0 for result in results),
    ).SerializeToString()


def batch_message(encoded: bytes, *, live: bool) -> session_pb2.AgentMessage:
    """An encoded batch in its lane."""
    batch = results_pb2.Batch.FromString(encoded)
    batch.lane = results_pb2.LANE_LIVE if live else results_pb2.LANE_BACKLOG
    return session_pb2.AgentMessage(batch=batch)


def batch_bounds(encoded: bytes) -> tuple[int, int]:
    """First and last sequence of an encoded batch."""
    batch = results_pb2.Batch.FromString(encoded)
    return batch.first_sequence, batch.first_sequence + batch.count - 1


def hello_message(hello: Hello) -> session_pb2.AgentMessage:
    """The first message of a session."""
    return session_pb2.AgentMessage(
        hello=session_pb2.Hello(
            agent_id=hello.agent_id,
            boot_id=hello.boot_id,
            spool_id=hello.spool_id,
            version=hello.version,
            protocol=PROTOCOL,
            assignment_version=hello.assignment_version,
            clock_us=hello.clock_us,
            unacknowledged=_runs(hello.unacknowledged),
            kinds=hello.kinds,
            ca_bundle=hello.ca_bundle,
        )
    )


def heartbeat_message(heartbeat: Heartbeat) -> session_pb2.AgentMessage:
    """A sign of life."""
    return session_pb2.AgentMessage(
        heartbeat=session_pb2.Heartbeat(
            clock_us=heartbeat.clock_us,
            spool_results=heartbeat.spool_results,
            spool_bytes=heartbeat.spool_bytes,
            spool_age_us=heartbeat.spool_age_us,
            loop_lag_us=heartbeat.loop_lag_us,
            cpu_ppm=heartbeat.cpu_ppm,
            well=heartbeat.well,
            condition=heartbeat.condition,
            dropped=[
                results_pb2.DroppedRange(
                    range=results_pb2.Range(first=run.first, last=run.last), reason=run.reason
                )
                for run in heartbeat.dropped
            ],
            shed_runs=heartbeat.shed_runs,
            assignment_version=heartbeat.assignment_version,
            round_trip_us=heartbeat.round_trip_us,
            lost=[
                results_pb2.LostRange(
                    spool_id=run.spool_id, range=results_pb2.Range(first=run.first, last=run.last)
                )
                for run in heartbeat.lost
            ],
        )
    )


def evidence_message(evidence: Evidence) -> session_pb2.AgentMessage:
    """Proof gathered for the collector."""
    return session_pb2.AgentMessage(
        evidence=session_pb2.Evidence(
            request_id=evidence.request_id,
            target_id=evidence.target_id,
            kind=evidence.kind,
            gathered_us=evidence.gathered_us,
            json=evidence.json,
        )
    )


def leave_message() -> session_pb2.AgentMessage:
    """No more comes."""
    return session_pb2.AgentMessage(leave=session_pb2.Leave())


def read_welcome(message: session_pb2.CollectorMessage) -> Welcome:
    """The answer to Hello; raises UplinkError when it is something else."""
    if message.WhichOneof("body") != "welcome":
        raise UplinkError(f"the collector answered Hello with {message.WhichOneof('body')!r}")
    welcome = message.welcome
    if welcome.highest_sequence > _MOST_SEQUENCE:
        raise UplinkError(f"the collector speaks of sequence {welcome.highest_sequence}, which cannot be")
    return Welcome(
        held=_ranges(welcome.held),
        highest_sequence=welcome.highest_sequence,
        clock_us=welcome.clock_us,
        version=welcome.version,
        heartbeat_s=float(welcome.heartbeat_s),
    )


def read_order(message: session_pb2.CollectorMessage) -> Order | None:
    """What the collector says; None for what a newer one says and this agent does not know."""
    read = _READERS.get(message.WhichOneof("body") or "")
    return None if read is None else read(message)


def _read_assignment(message: session_pb2.CollectorMessage) -> Assignment:
    targets = tuple(_target(target) for target in message.assignment.targets)
    return Assignment(message.assignment.version, targets)


def _target(target: session_pb2.Target) -> AssignedTarget:
    try:
        settings = json.loads(target.settings_json or "{}")
    except (ValueError, RecursionError):
        settings = None
    readable = isinstance(settings, dict) and not _is_deep(settings, _MOST_NESTED)
    return AssignedTarget(
        target_id=target.target_id,
        kind=target.kind,
        settings=settings if readable else {"settings": target.settings_json},
        interval_s=target.interval_us / 1e6,
        timeout_s=target.timeout_us / 1e6,
    )


def _is_deep(value: object, most: int) -> bool:
    """Whether lists and mappings are nested deeper."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most == 0 or any(_is_deep(each, most - 1) for each in inner)


def _read_ack(message: session_pb2.CollectorMessage) -> Ack:
    ack = message.ack
    rejected: dict[str, int] = {}
    for rejection in ack.rejected:
        rejected[rejection.reason] = rejected.get(rejection.reason, 0) + rejection.count
    lost = tuple(
        LostRange(run.spool_id, run.range.first, run.range.last)
        for run in ack.lost
        if run.range.last <= _MOST_SEQUENCE
    )
    return Ack(_ranges(ack.durable), rejected, ack.heartbeat_clock_us, lost)


def _read_probe_now(message: session_pb2.CollectorMessage) -> ProbeNow:
    order = message.probe_now
    return ProbeNow(tuple(order.target_ids), order.cadence_us / 1e6, order.until_us)


def _read_explain(message: session_pb2.CollectorMessage) -> Explain:
    order = message.explain
    return Explain(order.request_id, order.target_id, tuple(order.kinds), order.until_us)


def _read_drain(message: session_pb2.CollectorMessage) -> Drain:
    return Drain(message.drain.after_us / 1e6, message.drain.address, message.drain.reason)


_READERS: dict[str, Callable[[session_pb2.CollectorMessage], Order]] = {
    "assignment": _read_assignment,
    "ack": _read_ack,
    "probe_now": _read_probe_now,
    "explain": _read_explain,
    "drain": _read_drain,
}


def _dictionary(words: Iterable[str]) -> tuple[list[str], list[int]]:
    """Distinct words in order of appearance, and each word's index."""
    index: dict[str, int] = {}
    column = [index.setdefault(word, len(index)) for word in words]
    return list(index), column


def _column(values: Iterable[int]) -> list[int]:
    """A column, left out where every entry is the default."""
    column = list(values)
    return column if any(column) else []


def _deltas(starts: Iterable[int]) -> list[int]:
    deltas, before = [], 0
    for start in starts:
        deltas.append(start - before)
        before = start
    return deltas


def _timings(results: Sequence[Result]) -> list[results_pb2.Timing]:
    names = list(dict.fromkeys([TOTAL, *(name for result in results for name in result.timings_us)]))
    return [
        results_pb2.Timing(
            name=name,
            us=[min(result.timings_us.get(name, NOT_REACHED), _LONGEST_US) for result in results],
        )
        for name in names[:MAX_TIMINGS]
    ]


def _runs(ranges: Ranges) -> list[results_pb2.Range]:
    return [results_pb2.Range(first=first, last=last) for first, last in ranges]


def _ranges(runs: Iterable[results_pb2.Range]) -> Ranges:
    """The ranges that there can be; a collector that says more must not end the agent."""
    return Ranges((run.first, run.last) for run in runs if run.first <= run.last <= _MOST_SEQUENCE)
