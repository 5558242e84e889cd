"""The loop of judgement."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from faultline_collector.api.board import Board
from faultline_collector.ingest.decode import decode
from faultline_collector.judge import Judge, every_second
from faultline_collector.metrics import Metrics
from faultline_collector.outages import Outage, State
from faultline_collector.presence import Presences
from tests.collector.app.parts import Book, ScriptedCorrelator, outage
from tests.collector.ingest.worlds import FLEET, NOW_US, SOURCE, batch


@dataclass
class Bench:
    """A judge among stand-ins."""

    correlator: ScriptedCorrelator = field(default_factory=ScriptedCorrelator)
    book: Book = field(default_factory=Book)

    def __post_init__(self) -> None:
        self.metrics, self.presences = Metrics(), Presences()
        self.board = Board(self.metrics)
        self.judge = Judge(self.correlator, FLEET, self.book, self.board, self.presences, self.metrics)

    def value(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels)


async def test_what_changed_is_saved_before_it_is_published() -> None:
    """An outage that anyone can read keeps its id, for it is in the registry by then."""
    bench = Bench(ScriptedCorrelator(found=[(outage("a"),), ()]))
    await bench.judge.tick(NOW_US)
    assert bench.book.saved == [["a suspected"]]
    assert bench.judge.ticked_us == NOW_US
    await bench.judge.tick(NOW_US + 1_000_000)
    assert bench.book.saved == [["a suspected"]]


async def test_a_failing_registry_hides_nothing_and_is_tried_again() -> None:
    """While the registry fails, outages are published; its newest state is saved once it works."""
    found = [(outage("a"),), (outage("a", State.CONFIRMED), outage("b")), ()]
    bench = Bench(ScriptedCorrelator(found=found), Book(broken=True))
    await bench.judge.tick(NOW_US)
    await bench.judge.tick(NOW_US + 1_000_000)
    assert bench.board.turn == 2
    bench.book.broken = False
    await bench.judge.tick(NOW_US + 2_000_000)
    assert bench.book.saved == [["a confirmed", "b suspected"]]


async def test_a_book_with_a_bug_hides_nothing_either() -> None:
    """Whoever takes part in keeping outages, notices say, may fail: they are published all the same."""

    class Buggy(Book):
        def save_outages(self, outages: Iterable[Outage]) -> None:
            raise ZeroDivisionError

    bench = Bench(ScriptedCorrelator(found=[(outage("a"),)]), Buggy())
    await bench.judge.tick(NOW_US)
    assert (bench.board.turn, bench.judge.ticked_us) == (1, NOW_US)
    assert bench.value("faultline_judge_errors_total", step="save") == 1


async def test_only_what_is_kept_is_handed_on() -> None:
    """Whoever hears of outages hears only of those that a restart would not lose; a deaf one is passed."""
    bench = Bench(ScriptedCorrelator(found=[(outage("a"),), ()]), Book(broken=True))
    heard: list[str] = []
    bench.judge.kept += [lambda _: 1 / 0, lambda outages: heard.extend(o.id for o in outages)]  # type: ignore[list-item]
    await bench.judge.tick(NOW_US)
    assert heard == []
    bench.book.broken = False
    await bench.judge.tick(NOW_US + 1_000_000)
    assert heard == ["a"]
    assert bench.value("faultline_judge_errors_total", step="kept") == 1


async def test_who_hears_of_results_or_of_each_second_may_fail() -> None:
    """It is counted, and the others hear all the same; each second also where nothing has changed."""
    bench = Bench(ScriptedCorrelator(found=[(outage("a"),), ()]))
    heard: list[object] = []
    bench.judge.taken += [lambda _: 1 / 0, lambda results: heard.append(len(results))]  # type: ignore[list-item]
    bench.judge.judged += [lambda *_: 1 / 0, lambda _, at_us: heard.append(at_us)]  # type: ignore[list-item]
    bench.judge.take(decode(batch(), SOURCE, 0, NOW_US))
    for at_us in (NOW_US, NOW_US + 1_000_000):
        await bench.judge.tick(at_us)
    assert heard == [len(decode(batch(), SOURCE, 0, NOW_US)), NOW_US, NOW_US + 1_000_000]
    assert bench.value("faultline_judge_errors_total", step="taken") == 1
    assert bench.value("faultline_judge_errors_total", step="judged") == 2


async def test_judgement_that_fails_stops_nothing() -> None:
    """A bug in the correlator is counted and told by the age of the last good tick, and no more."""
    bench = Bench(ScriptedCorrelator(broken=True))
    bench.judge.take(decode(batch(), SOURCE, 0, NOW_US))
    await bench.judge.tick(NOW_US)
    assert bench.judge.ticked_us == 0
    assert bench.value("faultline_judge_errors_total", step="observe") == 1
    assert bench.value("faultline_judge_errors_total", step="tick") == 1


async def test_silence_is_excused_until_agents_had_time_to_come_back() -> None:
    """After the collector was away its agents count as heard until they are, or until the time is over."""
    bench = Bench()
    bench.judge.wait_for(frozenset({"east-1", "west-1"}), NOW_US + 1_500_000)
    await bench.judge.tick(NOW_US)
    assert sorted(bench.correlator.contacts) == [("east-1", NOW_US), ("west-1", NOW_US)]
    bench.presences.note("west-1", NOW_US + 1)
    bench.correlator.contacts.clear()
    await bench.judge.tick(NOW_US + 1_000_000)
    await bench.judge.tick(NOW_US + 2_000_000)
    assert bench.correlator.contacts == [("east-1", NOW_US + 1_000_000)]


async def test_results_contacts_and_fleets_reach_the_correlator() -> None:
    """The judge hands on what ingest brings."""
    bench = Bench()
    bench.judge.take(decode(batch(7, 2), SOURCE, 0, NOW_US))
    bench.judge.contact("west-1", 5, well=True)
    bench.judge.refit(FLEET)
    assert bench.correlator.seen == [7, 8]
    assert bench.correlator.contacts == [("west-1", 5)]
    assert bench.correlator.fleet is FLEET


async def test_the_fleet_is_counted() -> None:
    """Metrics tell of agents by state, open outages by scope, and what waits in spools."""
    bench = Bench(ScriptedCorrelator(restored=(outage("a"),)))
    bench.presences.note("west-1", NOW_US, spool_age_us=3_000_000, spool_results=40)
    await bench.judge.tick(NOW_US)
    assert bench.value("faultline_agents", state="live") == 1
    assert bench.value("faultline_agents", state="never") == 1
    assert bench.value("faultline_open_outages", scope="global") == 1
    assert bench.value("faultline_agent_spool_age_seconds_max") == 3
    assert bench.value("faultline_agent_spool_results") == 40


class Clock:
    """A clock that only sleeping and acting move, and that stops the loop after a while."""

    def __init__(self, *, takes_s: list[float]) -> None:
        self.now, self.acted = 100.0, list[float]()
        self._takes_s = takes_s

    async def act(self, now_us: int) -> None:
        """Takes as long as it is told."""
        self.acted.append(self.now)
        if not self._takes_s:
            raise asyncio.CancelledError
        self.now += self._takes_s.pop(0)

    async def sleep(self, seconds: float) -> None:
        """Moves on."""
        self.now += seconds


async def test_late_ticks_are_left_out_and_never_bunched() -> None:
    """A tick that takes long is followed by the next at once, and that by one a second later."""
    clock = Clock(takes_s=[0.25, 3.5, 0.25, 0.25])
    with pytest.raises(asyncio.CancelledError):
        await every_second(clock.act, lambda: 0, lambda: clock.now, clock.sleep)
    assert clock.acted == [100.0, 101.0, 104.5, 105.5, 106.5]
