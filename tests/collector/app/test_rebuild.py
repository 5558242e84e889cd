"""Evidence from the store after a restart."""

from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Fleet
from faultline_collector.ingest.decode import decode
from faultline_collector.outages import Outage, State
from faultline_collector.rebuild import rebuild
from faultline_collector.results import Source
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import ReceivedRange
from tests.collector.app.parts import ScriptedCorrelator, outage
from tests.collector.correlate.worlds import World, lab_fleet
from tests.collector.ingest.worlds import NOW_US, SOURCE, batch

SECOND_US = 1_000_000


def filled(*received: tuple[int, int, Source]) -> MemoryStore:
    """A store with one result each: seconds ago, sequence and source."""
    store = MemoryStore()
    for ago_s, sequence, source in received:
        at_us = NOW_US - ago_s * SECOND_US
        results = decode(batch(sequence, 1, started_delta_us=[at_us]), source, 0, at_us)
        store.append(results, [ReceivedRange(source, sequence, sequence)], Fleet())
    return store


def test_the_past_is_observed_in_order_with_ticks_between() -> None:
    """Results come in the order of their receipt, and time goes on with them, never beyond the present."""
    correlator = ScriptedCorrelator()
    store = filled((12, 2, SOURCE), (40, 1, SOURCE), (11, 3, SOURCE), (0, 4, SOURCE), (4000, 9, SOURCE))
    rebuild(correlator, store, (), NOW_US + SECOND_US)
    assert correlator.seen == [1, 2, 3, 4]
    assert correlator.steps == [
        ("observe", 1),
        ("tick", NOW_US - 35 * SECOND_US),
        ("observe", 2),
        ("tick", NOW_US - 10 * SECOND_US),
        ("observe", 1),
        ("tick", NOW_US + SECOND_US),
    ]


def test_only_what_is_restored_or_still_open_is_new() -> None:
    """What began and ended in the past that is read again was kept before, and is not kept twice."""
    found: list[tuple[Outage, ...]] = [
        (outage("past"), outage("known"), outage("new")),
        (outage("past", State.WITHDRAWN), outage("known", State.RESOLVED)),
    ]
    correlator = ScriptedCorrelator(found=found)
    rebuilt = rebuild(correlator, filled((40, 1, SOURCE), (20, 2, SOURCE)), [outage("known")], NOW_US)
    assert [(one.id, one.state) for one in rebuilt.outages] == [
        ("known", State.RESOLVED),
        ("new", State.SUSPECTED),
    ]
    assert [one.id for one in correlator.restored] == ["known"]


def test_agents_that_were_there_at_the_end_are_known() -> None:
    """Whoever was heard shortly before the collector went is waited for; who had fallen silent is not."""
    store = filled((700, 1, Source("gone-1", "s")), (630, 1, Source("east-1", "s")), (600, 1, SOURCE))
    assert rebuild(ScriptedCorrelator(), store, (), NOW_US).agent_ids == {"east-1", "west-1"}


def test_an_empty_store_brings_nothing() -> None:
    """A first start has no past."""
    rebuilt = rebuild(ScriptedCorrelator(), MemoryStore(), (), NOW_US)
    assert (rebuilt.outages, rebuilt.agent_ids) == ((), frozenset())


def test_agents_that_an_outage_holds_silent_are_not_waited_for() -> None:
    """Whoever had just fallen silent is taken for silent still: waiting for it would end the outage."""
    fleet = lab_fleet()
    world = World(fleet, noise=0.0).run(40)
    silent = {a.id for a in fleet.agents if a.region == "c1-r2"}
    store = MemoryStore()
    seen = [world.second(float(s), lambda agent, target, at: None) for s in range(40)]
    world.silent = silent
    world.run(25)
    (dark,) = world.open()
    seen += [world.second(float(s), lambda agent, target, at: None) for s in range(40, 65)]
    for results in seen:
        rows = zip(results.source, results.sequence, strict=True)
        store.append(results, [ReceivedRange(results.sources[s], int(n), int(n)) for s, n in rows], Fleet())
    detector = Detector(fleet)
    rebuilt = rebuild(detector, store, [dark], world.now_us)
    assert rebuilt.agent_ids == {a.id for a in fleet.agents} - silent
    assert [o.id for o in detector.outages()] == [dark.id]
