"""The agent as the collector sees it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from faultline.outcomes import Outcome
from faultline.ranges import Ranges
from faultline_agent.guard import LoadGuard
from faultline_agent.load import LoadWatch
from faultline_agent.orders import Duty
from faultline_agent.outbox import Outbox
from faultline_agent.policy import Policy, network
from faultline_agent.recorder import Recorder
from faultline_agent.references import References
from faultline_agent.runner import Runner
from faultline_agent.schedule import Schedule
from faultline_agent.station import KEPT_ASSIGNMENT, AgentStation
from faultline_agent.uplinks.uplink import Assignment, Explain, ProbeNow
from tests.agent.probing import BAD, GOOD, plain_tools, told
from tests.agent.stage import KeptLog, SetClocks, assigned, open_spool, plain_encode, result

DOUBTFUL = GOOD._replace(outcome=Outcome.INCONCLUSIVE, detail="who knows")

HOME = Policy(networks=(network("127.0.0.0/8"),))


class Stage:
    """A station with all its parts, none of them running."""

    def __init__(self, folder: Path) -> None:
        self.clocks = SetClocks()
        self.log = KeptLog()
        self.guard = LoadGuard()
        self.probes = [told(), told()]
        tools = plain_tools()
        references = {f"r{i}": probe for i, probe in enumerate(self.probes)}
        self.references = References(references, tools, self.log, self.clocks, every_s=10.0)
        self.spool = open_spool(folder)
        self.outbox = Outbox(self.spool, plain_encode, self.clocks)
        self.recorder = Recorder(self.outbox, self.log)
        self.runner = Runner(
            Schedule("agent", Random(1)),
            self.guard,
            self.references,
            self.recorder,
            tools,
            self.log,
            self.clocks,
            Random(1),
        )
        self.station = AgentStation(
            "agent",
            HOME,
            self.outbox,
            self.guard,
            LoadWatch(self.guard),
            self.references,
            self.recorder,
            self.runner,
            tools,
            self.log,
            self.clocks,
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage that is cleared at the end."""
    stage = Stage(tmp_path)
    yield stage
    await stage.outbox.close()


async def test_hello_tells_who_and_what_is_left(stage: Stage) -> None:
    """With the kinds that this agent can probe."""
    hello = stage.station.hello(Ranges([(3, 4)]))
    assert (hello.agent_id, hello.spool_id) == ("agent", stage.spool.spool_id)
    assert hello.unacknowledged == Ranges([(3, 4)])
    assert hello.assignment_version == ""
    assert {"http", "tcp", "dns"} <= set(hello.kinds)
    assert hello.boot_id == stage.station.hello(Ranges()).boot_id


async def test_heartbeat_tells_the_state_of_the_spool(stage: Stage) -> None:
    """Its depth, its age, what it dropped."""
    assert stage.station.heartbeat(0).spool_age_us == 0
    await stage.outbox.append([result()] * 3, lost=2)
    stage.clocks.now_s += 5
    heartbeat = stage.station.heartbeat(123)
    assert (heartbeat.spool_results, heartbeat.spool_age_us) == (3, 5_000_000)
    assert heartbeat.round_trip_us == 123
    assert [(run.first, run.last) for run in heartbeat.dropped] == [(1, 2)]
    assert heartbeat.cpu_ppm >= 0
    assert heartbeat.well


async def test_condition_says_why_the_agent_does_nothing(stage: Stage) -> None:
    """The gravest reason first."""
    station = stage.station
    assert station.condition == "no assignment yet"
    await station.assign(Assignment("v1", ()))
    assert station.condition == "the assignment is empty"
    await station.assign(Assignment("v2", (assigned("web", host="10.0.0.1", port=9),)))
    assert station.condition.startswith("1 targets are refused; web: 10.0.0.1 is not a public address")
    await station.assign(Assignment("v3", (assigned(),)))
    assert station.condition == ""
    for _ in range(10):
        stage.runner.tally.note(DOUBTFUL)
    assert station.condition == "results say nothing: who knows"
    stage.runner.tally.note(GOOD)
    assert station.condition == ""
    stage.guard.saturated = True
    assert station.condition.startswith("too busy")
    for probe in stage.probes:
        probe.tell(BAD)
    await stage.references.confirm(stage.clocks.axis_s(), stage.clocks.axis_s())
    assert station.condition.startswith("2 of 2 references do not answer")
    assert not station.heartbeat(0).well


async def test_assignment_is_kept_for_the_next_start(stage: Stage) -> None:
    """A restarted agent probes at once, with or without its collector."""
    await stage.station.assign(Assignment("v1", (assigned("web"),)))
    stage.station.duty = Duty()
    stage.station.resume(stage.spool.recall(KEPT_ASSIGNMENT))
    assert stage.station.duty.version == "v1"
    assert stage.station.hello(Ranges()).assignment_version == "v1"


async def test_same_version_again_changes_nothing(stage: Stage) -> None:
    """Equal versions are equal assignments."""
    await stage.station.assign(Assignment("v1", (assigned("web"),)))
    await stage.station.assign(Assignment("v1", ()))
    assert len(stage.log.named("assignment")) == 1
    assert stage.runner.probe_of("web") is not None


async def test_kept_assignment_that_cannot_be_read_is_left(stage: Stage) -> None:
    """The collector will send it again."""
    stage.station.resume(None)
    stage.station.resume("{")
    assert [name for name, _ in stage.log.events] == ["the kept assignment cannot be read"]


async def test_proof_of_a_target_is_gathered_on_request(stage: Stage) -> None:
    """Each kind that is asked for, with its data or why there is none."""
    probe = told(BAD)
    stage.runner.take([(assigned("web"), probe)])
    until_us = stage.clocks.wall_us() + 1
    found = await stage.station.explain(
        Explain("r1", "web", ("traceroute", "fingerprint", "story"), until_us)
    )
    assert {(each.request_id, each.target_id) for each in found} == {("r1", "web")}
    proofs = {each.kind: json.loads(each.json) for each in found}
    assert set(proofs) == {"story", "traceroute"}
    assert (proofs["story"]["outcome"], proofs["story"]["detail"]) == ("connect", "connection refused")
    assert [step["step"] for step in proofs["story"]["steps"]] == ["told"]
    assert proofs["traceroute"] == {"unavailable": "told probes connect to no host"}


@pytest.mark.parametrize(
    ("target", "kinds", "late"),
    [("other", ("story",), 0), ("web", ("fingerprint",), 0), ("web", ("story",), 10)],
)
async def test_what_cannot_be_told_is_not(
    stage: Stage, target: str, kinds: tuple[str, ...], late: int
) -> None:
    """An unknown target, an unknown kind of proof, an answer that is of no more use."""
    probe = told()
    stage.runner.take([(assigned("web"), probe)])
    until_us = stage.clocks.wall_us() - late
    assert await stage.station.explain(Explain("r1", target, kinds, until_us)) == ()
    assert probe.runs == 0


async def test_haste_is_handed_on_and_logged(stage: Stage) -> None:
    """How many targets it took, and for how long."""
    stage.runner.take([(assigned("web"), told())])
    stage.station.hasten(ProbeNow(("web", "other"), 2.0, stage.clocks.wall_us() + 30_000_000))
    assert stage.log.named("probing now") == [{"targets": 1, "cadence_s": 2.0, "for_s": 30.0}]
