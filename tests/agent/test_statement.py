"""What `faultline-agent status` says."""

from typing import Any

import pytest

from faultline_agent.statement import ago, size, state
from tests.agent.stage import NOW_US

SECOND = 1_000_000


def facts(**changes: Any) -> dict[str, Any]:
    """The facts of an agent that works, but for what a test changes (`collector__connected=False`)."""
    whole: dict[str, Any] = {
        "agent": "in-west-1",
        "version": "0.1.0",
        "state": "running",
        "pid": 4711,
        "started_us": NOW_US - 3_600 * SECOND,
        "written_us": NOW_US - SECOND,
        "condition": "",
        "collector": {
            "url": "grpcs://collector.example:7443",
            "connected": True,
            "since_us": NOW_US - 600 * SECOND,
            "last_ack_us": NOW_US - 2 * SECOND,
            "problem": "",
            "version": "0.1.0",
            "round_trip_us": 2_300,
            "rejected": {},
            "unanswered": 0,
        },
        "spool": {
            "path": "/var/lib/x/spool.db",
            "results": 12,
            "bytes": 3_500,
            "most_bytes": 256 * 1024**2,
            "oldest_us": NOW_US - 3 * SECOND,
            "dropped": [],
            "lost": [],
            "replaced": "",
        },
        "assignment": {"version": "v7", "targets": 30, "refused": {}},
        "outcomes": {"ok": 100, "connect": 2},
        "shed_runs": 0,
        "missed_runs": 0,
    }
    for path, value in changes.items():
        inner, _, leaf = path.rpartition("__")
        (whole[inner] if inner else whole)[leaf] = value
    return whole


def test_agent_that_works_has_no_reasons_but_a_state() -> None:
    """Everything that an operator asks for."""
    statement = state(facts(), NOW_US, alive=True)
    assert statement.works
    assert statement.text().splitlines() == [
        "agent      in-west-1 0.1.0, running for 60m, process 4711",
        "collector  grpcs://collector.example:7443, connected for 10m",
        "last ack   2s ago, round trip 2.3 ms",
        "spool      12 results wait, 3.4 KiB of 256.0 MiB, lag 3s",
        "dropped    none that the collector does not know",
        "targets    30 probed, 0 refused, assignment v7",
        "results    connect 2, ok 100; 0 runs left out, 0 missed",
    ]


@pytest.mark.parametrize(
    ("changes", "alive", "reason"),
    [
        ({"state": "stopped"}, False, "the agent was stopped 1s ago"),
        ({}, False, "the agent is not running: process 4711 ended unexpectedly about 1s ago"),
        (
            {"written_us": NOW_US - 60 * SECOND},
            True,
            "the agent hangs or cannot write: process 4711 is there, silent for 60s",
        ),
        (
            {"collector__connected": False, "collector__problem": "collector x:1: unavailable: refused"},
            True,
            "no collector reached for 10m: collector x:1: unavailable: refused",
        ),
        (
            {"collector__connected": False, "collector__last_ack_us": 0},
            True,
            "no collector reached for 10m (never since the start): still connecting",
        ),
        ({"condition": "no assignment yet"}, True, "no assignment yet"),
    ],
)
def test_agent_that_does_not_work_says_why(changes: dict[str, Any], alive: bool, reason: str) -> None:
    """One sentence for each reason."""
    statement = state(facts(**changes), NOW_US, alive=alive)
    assert not statement.works
    assert statement.reasons == (reason,)
    assert statement.text().splitlines()[-1] == f"why        {reason}"


def test_several_reasons_are_all_told() -> None:
    """The collector is away, and the agent is unwell."""
    changed = facts(collector__connected=False, condition="2 of 2 references do not answer")
    assert len(state(changed, NOW_US, alive=True).reasons) == 2


def test_losses_are_counted_by_reason() -> None:
    """Dropped by the spool, rejected by the collector, left out by the guard."""
    lost = facts(
        spool__dropped=[[1, 10, "bytes"], [11, 12, "age"], [20, 20, "bytes"]],
        collector__rejected={"unknown_target": 3},
        collector__unanswered=5,
        shed_runs=7,
        missed_runs=4,
        assignment__refused={"x": "why"},
    )
    text = state(lost, NOW_US, alive=True).text()
    assert "dropped    11 (bytes), 2 (age), not yet reported" in text
    assert "3 rejected as unknown_target" in text
    assert "7 runs left out, 4 missed" in text
    assert "asked      5 requests for proof were not answered" in text
    assert "30 probed, 1 refused" in text


def test_a_damaged_spool_is_told() -> None:
    """Where it is, and what it may have taken along."""
    changed = facts(
        spool__lost=[["5f3a", 1, 4_000]], spool__replaced="spool x was damaged (y) and moved to z"
    )
    statement = state(changed, NOW_US, alive=True)
    assert statement.works
    lines = statement.text().splitlines()
    assert "damaged    spool x was damaged (y) and moved to z" in lines
    assert "lost       up to 4000 results of spool 5f3a, not yet reported" in lines


def test_new_agent_has_nothing_to_tell() -> None:
    """Neither acks nor results nor an assignment."""
    new = facts(collector__last_ack_us=0, outcomes={}, spool__oldest_us=0, assignment__version="")
    text = state(new, NOW_US, alive=True).text()
    assert "last ack   never" in text
    assert "results    none yet" in text
    assert "assignment none" in text
    assert "lag" not in text
    assert "round trip" not in state(facts(collector__round_trip_us=0), NOW_US, alive=True).text()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (3 * 86_400, "3d"), (-5, "0s")],
)
def test_time_spans_are_said_in_one_unit(seconds: int, said: str) -> None:
    """The largest of which there are two."""
    assert ago(NOW_US - seconds * SECOND, NOW_US) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (1_024, "1.0 KiB"), (3 * 1024**2, "3.0 MiB"), (1024**3, "1.0 GiB")]
)
def test_sizes_are_said_in_one_unit(count: int, said: str) -> None:
    """The largest that is not below one."""
    assert size(count) == said
