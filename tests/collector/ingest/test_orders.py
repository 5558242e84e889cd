"""Orders on their way to an agent, and the proof that comes back."""

from dataclasses import replace

from faultline.v1 import session_pb2
from faultline_collector.ingest.session import MOST_ORDERS, Ending
from faultline_collector.inquiry.orders import KINDS, Evidence, Explain, ProbeNow
from tests.collector.ingest.worlds import NOW_US, Rig, hello, up

PROBE = ProbeNow(("api", "web"), 10_000_000, NOW_US + 8_000_000)
EXPLAIN = Explain("o-1.1", "o-1", "web", failing=True, until_us=NOW_US + 30_000_000)


async def test_orders_reach_the_agent_after_its_welcome() -> None:
    """As messages of the wire, in order."""
    rig = Rig()
    session = rig.intake.open("west-1", hello())
    assert rig.intake.order("west-1", PROBE)
    assert rig.intake.order("west-1", EXPLAIN)
    told = [await session.next() for _ in range(3)]
    assert [message and message.WhichOneof("body") for message in told] == ["welcome", "probe_now", "explain"]
    assert told[1] is not None
    assert told[2] is not None
    assert told[1].probe_now == session_pb2.ProbeNow(
        target_ids=["api", "web"], cadence_us=10_000_000, until_us=NOW_US + 8_000_000
    )
    assert told[2].explain == session_pb2.Explain(
        request_id="o-1.1", target_id="web", kinds=KINDS, until_us=NOW_US + 30_000_000
    )


async def test_an_agent_without_a_session_is_not_told() -> None:
    """Nor one whose session has ended."""
    rig = Rig()
    assert not rig.intake.order("west-1", PROBE)
    session = rig.intake.open("west-1", hello())
    session.end(Ending.SILENT)
    assert not rig.intake.order("west-1", PROBE)


async def test_orders_for_a_slow_reader_are_bounded() -> None:
    """What would come too late is not kept."""
    rig = Rig()
    rig.intake.open("west-1", hello())
    told = sum(rig.intake.order("west-1", PROBE) for _ in range(MOST_ORDERS + 5))
    assert told == MOST_ORDERS - 1


async def test_proof_is_handed_on_with_the_collectors_time() -> None:
    """Whose it is, the session says."""
    rig = Rig()
    heard: list[tuple[str, Evidence]] = []
    rig.intake._desk = replace(rig.desk, evidence=lambda agent, evidence: heard.append((agent, evidence)))
    session = rig.intake.open("west-1", hello(clock_us=NOW_US - 5_000_000))
    given = session_pb2.Evidence(
        request_id="o-1.1", target_id="web", kind="dns", gathered_us=NOW_US - 5_000_000, json="{}"
    )
    await session.hear(up(given))
    assert heard == [("west-1", Evidence("o-1.1", "web", "dns", NOW_US, "{}"))]


async def test_proof_that_nobody_waits_for_is_passed_over() -> None:
    """As by a collector that asks nothing."""
    session = Rig().intake.open("west-1", hello())
    await session.hear(up(session_pb2.Evidence(request_id="x", json="{}")))
    assert session.ending is None
