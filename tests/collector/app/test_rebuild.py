"""Evidence from the store after a restart."""

from dataclasses import dataclass, field, replace
from typing import Self

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.ingest.decode import decode
from faultline_collector.outages import Outage, State
from faultline_collector.rebuild import Rebuilt, rebuild
from faultline_collector.results import Source
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import ReceivedRange
from tests.collector.app.parts import ScriptedCorrelator, outage
from tests.collector.correlate.worlds import Fault, World, lab_fleet
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


@dataclass
class Past:
    """A world in which a service fails for half a minute, and the store in which all of it stands."""

    fleet: Fleet = field(default_factory=lambda: lab_fleet(countries=2))
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.world = World(self.fleet, noise=0.0)
        self.run(60, nothing).run(30, shop)

    def run(self, seconds: int, fault: Fault, *, stored: bool = True) -> Self:
        """Lets time pass; what is not stored has not reached a store on another machine yet."""
        for _ in range(seconds):
            results = self.world.second(self.world.now_s, fault)
            rows = zip(results.source, results.sequence, strict=True)
            ranges = [ReceivedRange(results.sources[s], int(n), int(n)) for s, n in rows]
            if stored:
                self.store.append(results, ranges, Fleet())
            self.world.detector.observe(results)
            self.world.now_s += 1.0
            for one in self.world.detector.tick(self.world.now_us):
                self.world.last[one.id] = one
        return self

    def restart(self, *more: Outage) -> Rebuilt:
        """Goes on with a new detector that reads the past again; the registry holds more outages."""
        self.world.detector = Detector(self.fleet, self.world.settings)
        known = (*self.world.last.values(), *more)
        return rebuild(self.world.detector, self.store, known, self.world.now_us)


def nothing(agent: Agent, target: Target, at: float) -> Outcome | None:
    """All is fine."""
    return None


def shop(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One service fails everywhere."""
    return Outcome.HTTP if target.service == "s01" else None


def test_what_ended_just_before_a_restart_is_not_found_anew() -> None:
    """To a store that lacks the last results it seems to go on: it was told, and so was its end."""
    past = Past()
    while past.world.open():
        past.run(1, nothing, stored=False)
    (ended,) = past.world.last.values()
    assert ended.state is State.RESOLVED
    assert past.restart().outages == ()
    past.run(60, nothing)
    told = [o for o in past.world.last.values() if o.confirmed_us is not None]
    assert [(o.id, o.state, o.resolved_us) for o in told] == [(ended.id, ended.state, ended.resolved_us)]


def test_what_returns_after_a_restart_is_what_it_was_before() -> None:
    """It keeps its id and the time of its confirmation, so that nobody is told of it as of something new."""
    past = Past().run(60, nothing)
    (ended,) = past.world.last.values()
    suspicion = replace(ended, id="o-0", state=State.WITHDRAWN, confirmed_us=None)
    assert past.restart(suspicion).outages == ()
    past.run(30, shop)
    (back,) = past.world.last.values()
    assert (back.id, back.confirmed_us, back.state) == (ended.id, ended.confirmed_us, State.CONFIRMED)


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
