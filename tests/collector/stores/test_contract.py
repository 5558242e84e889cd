"""What every store promises."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline.ranges import Ranges
from faultline_collector.results import Source, concatenate, empty_batch
from faultline_collector.stores.order import MAX_TIMING_NAMES, PAGE_RESULTS
from faultline_collector.stores.store import (
    ReceivedRange,
    ResultQuery,
    Store,
    StoreError,
    Upkeep,
)
from faultline_collector.stores.summary import SummaryQuery
from tests.collector.stores.rows import (
    ALL,
    DAY_US,
    FLEET,
    NOON_US,
    SECOND_US,
    Row,
    batch_of,
    found,
    kept_up,
    many,
    put,
    ranges_of,
    sequences,
)

WEST_1 = Source("in-west-1", "s1")
MINUTE_US = 60 * SECOND_US
LATEST = replace(ALL, latest=True)


def window(since_us: int, until_us: int, **more: Any) -> ResultQuery:
    """A query whose times count from `NOON_US`."""
    return ResultQuery(NOON_US + since_us, NOON_US + until_us, **more)


def test_new_store_holds_nothing(store: Store) -> None:
    """All questions have an answer before the first result."""
    assert found(store) == []
    assert found(store, LATEST) == []
    assert store.received() == {}
    assert list(store.summary(SummaryQuery(0, DAY_US, 0, {"t": "s"}, timing="total")).rows()) == []
    assert store.upkeep(NOON_US, NOON_US) == Upkeep()


def test_every_field_comes_back(store: Store) -> None:
    """What was appended is what is read, texts in any script and extreme numbers included."""
    rows = [
        Row(
            1,
            detail="сертификат истёк: 证书过期 🔥 'quoted' \"double\" \x00 %s",
            outcome=3,
            status=0,
            family=0,
        ),
        Row(
            2,
            agent="日本-1",
            target="täglich",
            offset_us=-7_000_000,
            at_us=5,
            received_us=SECOND_US + 1,
            flags=3,
        ),
        Row(2**63, agent="日本-1", spool="s2", attempt=1, status=65535, family=6, received_us=SECOND_US + 2),
    ]
    put(store, rows)
    assert found(store) == rows


def test_timings_that_nobody_knew_are_kept(store: Store) -> None:
    """A probe kind may bring timings of its own at any moment; where there is none, there is none."""
    rows = [
        Row(1, timings_us={"total": 9}),
        Row(2, timings_us={"total": 8, "banner": 7, "select": 2**31 - 1}, received_us=SECOND_US + 1),
        Row(3, timings_us={"total": 6, "banner": 0}, received_us=SECOND_US + 2),
        Row(4, timings_us={}, received_us=SECOND_US + 3),
    ]
    for row in rows:
        put(store, [row])
    assert found(store) == rows


def test_timing_names_are_bounded(store: Store) -> None:
    """More names than are kept cost the superfluous timings, not the result, and never the total."""
    names = [f"phase_{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(MAX_TIMING_NAMES + 10)]
    left_out = []
    for sequence, some in enumerate((names[:10], names), start=1):
        rows = [Row(sequence, timings_us={"total": 5, **dict.fromkeys(some, 7)})]
        left_out.append(store.append(batch_of(rows), ranges_of(rows), FLEET))
    assert left_out == [0, 11]
    timings = {row.sequence: row.timings_us for row in found(store)}
    assert timings[1] == {"total": 5, **dict.fromkeys(names[:10], 7)}
    assert timings[2] == {"total": 5, **dict.fromkeys(names[: MAX_TIMING_NAMES - 1], 7)}


def test_append_twice_stores_once(store: Store) -> None:
    """A batch that comes again leaves everything as it was."""
    rows = [Row(i) for i in range(1, 6)]
    put(store, rows)
    put(store, rows)
    assert sequences(store) == [1, 2, 3, 4, 5]
    assert store.received() == {WEST_1: Ranges([(1, 5)])}


def test_overlapping_append_stores_what_is_new(store: Store) -> None:
    """Of a batch that was received in part, only the rest is taken."""
    put(store, [Row(i, status=1) for i in (2, 3, 7)])
    put(store, [Row(i, status=2) for i in range(1, 9)])
    assert {row.sequence: row.status for row in found(store)} == {
        1: 2, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2, 7: 1, 8: 2,
    }  # fmt: skip


def test_sequence_twice_in_one_append_is_stored_once(store: Store) -> None:
    """Live and backlog may bring the same result within one transaction."""
    rows = [Row(1), Row(2), Row(2), Row(3)]
    store.append(batch_of(rows), [ReceivedRange(WEST_1, 1, 2), ReceivedRange(WEST_1, 2, 3)], FLEET)
    assert sequences(store) == [1, 2, 3]


def test_identity_is_agent_spool_and_sequence(store: Store) -> None:
    """The same sequence of another spool or agent is another result."""
    put(store, [Row(1), Row(1, spool="s2"), Row(1, agent="us-east-1")])
    assert len(found(store)) == 3
    assert set(store.received()) == {WEST_1, Source("in-west-1", "s2"), Source("us-east-1", "s1")}


def test_rejected_and_dropped_are_received(store: Store) -> None:
    """Ranges without results need never be sent again either."""
    ranges = [
        ReceivedRange(WEST_1, 4, 6, "rejected", "unknown_target"),
        ReceivedRange(WEST_1, 7, 9, "dropped", "bytes"),
    ]
    store.append(empty_batch(), ranges, FLEET)
    put(store, [Row(i) for i in range(1, 10)])
    assert store.received() == {WEST_1: Ranges([(1, 9)])}
    assert sequences(store) == [1, 2, 3]


def test_results_without_ranges_are_refused(store: Store) -> None:
    """A caller whose ranges and results disagree would lose or double results at the next start."""
    with pytest.raises(StoreError, match="2 results, but the ranges say 1 stored") as caught:
        store.append(batch_of([Row(1), Row(2)]), ranges_of([Row(1)]), FLEET)
    assert caught.value.permanent
    assert found(store) == []
    assert store.received() == {}


def test_received_is_a_copy(store: Store) -> None:
    """What a caller does with the answer does not change the store."""
    put(store, [Row(1)])
    store.received()[WEST_1].add(2, 9)
    put(store, [Row(2)])
    assert sequences(store) == [1, 2]


def test_results_come_in_order_of_receipt(store: Store) -> None:
    """Oldest receipt first, then by agent, spool and sequence; or all of it reversed."""
    rows = [
        Row(9, received_us=5),
        Row(1, agent="us-east-1", received_us=7),
        Row(2, spool="s2", received_us=7),
        Row(8, received_us=7),
        Row(3, received_us=7),
        Row(4, agent="au-1", received_us=3 * DAY_US, at_us=-DAY_US),
    ]
    put(store, rows)
    assert sequences(store) == [9, 3, 8, 2, 1, 4]
    assert sequences(store, replace(ALL, newest_first=True)) == [4, 1, 2, 8, 3, 9]


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest", "newest"])
def test_limit_takes_from_the_front(store: Store, newest_first: bool) -> None:
    """A limit keeps the first of the order that was asked for."""
    put(store, [Row(i, received_us=i * SECOND_US) for i in range(1, 31)])
    query = replace(ALL, newest_first=newest_first, limit=3)
    assert sequences(store, query) == ([30, 29, 28] if newest_first else [1, 2, 3])


def test_streams_in_bounded_batches(store: Store) -> None:
    """However many results there are, no batch is much larger than a page."""
    number = 2 * PAGE_RESULTS + 500
    store.append(many(1, number, apart_us=1000), [ReceivedRange(WEST_1, 1, number)], FLEET)
    pages = list(store.results(ALL))
    assert np.array_equal(concatenate(pages).sequence, np.arange(1, number + 1))
    assert max(len(page) for page in pages) <= PAGE_RESULTS
    backwards = list(store.results(replace(ALL, newest_first=True)))
    assert np.array_equal(concatenate(backwards).sequence, np.arange(number, 0, -1))
    limited = list(store.results(replace(ALL, limit=PAGE_RESULTS + 1)))
    assert [int(page.sequence[-1]) for page in limited][-1] == PAGE_RESULTS + 1


def test_window_counts_by_the_collectors_clock(store: Store) -> None:
    """A start lies in the window by its corrected time: the begin belongs to it, the end does not."""
    put(store, [Row(i, at_us=i * 10, offset_us=10**9 * i) for i in range(1, 5)])
    assert sequences(store, window(20, 40)) == [2, 3]
    assert sequences(store, window(40, 40)) == []


def test_window_reaches_over_days(store: Store) -> None:
    """Days are the store's own affair."""
    put(store, [Row(i, at_us=(i - 5) * DAY_US) for i in range(1, 10)])
    assert sequences(store, window(-2 * DAY_US, DAY_US + 1)) == [3, 4, 5, 6]


def test_filters_by_agent_and_target(store: Store) -> None:
    """None selects all, an empty set nothing, unknown ids nothing."""
    put(store, [
        Row(1), Row(2, target="bank"), Row(3, agent="us-east-1"), Row(4, agent="us-east-1", target="bank"),
    ])  # fmt: skip
    west, bank = frozenset({"in-west-1"}), frozenset({"bank"})
    assert sequences(store, replace(ALL, agent_ids=west)) == [1, 2]
    assert sequences(store, replace(ALL, target_ids=bank)) == [2, 4]
    assert sequences(store, replace(ALL, agent_ids=west, target_ids=bank)) == [2]
    assert sequences(store, replace(ALL, agent_ids=frozenset())) == []
    assert sequences(store, replace(ALL, target_ids=frozenset({"nobody"}))) == []


def test_latest_is_the_last_start_of_each_agent_and_target(store: Store) -> None:
    """By the corrected start, whatever the order of receipt, across spools and days."""
    west = [Row(1, at_us=100, received_us=1), Row(2, at_us=50, received_us=2)]
    bank = [Row(1, "in-west-1", "bank", DAY_US, "s0", received_us=3), Row(3, "in-west-1", "bank", 60)]
    east = [Row(7, "us-east-1", at_us=-DAY_US, received_us=0)]
    put(store, [*west, *bank, *east])
    assert found(store, LATEST) == [east[0], west[0], bank[0]]
    assert found(store, window(0, 90, latest=True)) == [west[1], bank[1]]
    assert found(store, replace(LATEST, limit=2, newest_first=True)) == [bank[0], west[0]]


def test_latest_of_equal_starts_is_the_last_received(store: Store) -> None:
    """A retry that claims the same start wins by its receipt, then by its sequence."""
    put(store, [Row(1, received_us=9), Row(2, received_us=8), Row(3, received_us=9)])
    assert sequences(store, LATEST) == [3]


TARGETS = {"twitter-web": "twitter", "twitter-login": "twitter", "bank": "bank"}
REGIONS = frozenset({"in-west", "us-east"})
Count = tuple[str, str, int, int, int, int, int]


def ask(since_us: int, until_us: int, step_us: int, **more: Any) -> SummaryQuery:
    """A query by service and region whose times count from `NOON_US`."""
    by: dict[str, Any] = {"regions": REGIONS, "by_region": True} | more
    return SummaryQuery(NOON_US + since_us, NOON_US + until_us, step_us, TARGETS, **by)


def counts(store: Store, query: SummaryQuery) -> list[Count]:
    """Service, region, start from `NOON_US`, good, failed, unknown results and known time of each row."""
    summary = store.summary(query)
    judged = (summary.ok, summary.failed, summary.unknown, summary.known_us)
    numbers = zip(*(column.tolist() for column in judged), strict=True)
    return [
        (row.group, row.region, row.start_us - NOON_US, *found)
        for row, found in zip(summary.rows(), numbers, strict=True)
    ]


def test_results_count_by_groups_and_steps(store: Store) -> None:
    """Each result counts in its service, its region and its step, and nowhere else."""
    put(store, [
        Row(1, at_us=0), Row(2, at_us=1, outcome=Outcome.HTTP), Row(3, target="twitter-login", at_us=2),
        Row(4, at_us=5 * MINUTE_US), Row(5, target="bank", agent="us-east-1", at_us=9 * MINUTE_US),
        Row(6, agent="in-west-2", outcome=Outcome.TIMEOUT), Row(7, at_us=10 * MINUTE_US),
        Row(8, target="nobody's"), Row(9, agent="stranger"), Row(10, at_us=-1),
    ])  # fmt: skip
    step = 5 * MINUTE_US
    assert counts(store, ask(0, 2 * step, step)) == [
        ("bank", "us-east", step, 1, 0, 0, MINUTE_US),
        ("twitter", "in-west", 0, 2, 2, 0, MINUTE_US),
        ("twitter", "in-west", step, 1, 0, 0, MINUTE_US),
    ]


def test_unknown_is_neither_good_nor_bad(store: Store) -> None:
    """Inconclusive and saturated results are counted apart and make nothing known."""
    put(store, [
        Row(1, outcome=Outcome.INCONCLUSIVE), Row(2, flags=Flag.SATURATED), Row(3, flags=Flag.LATE),
        Row(4, outcome=Outcome.DNS, flags=Flag.SATURATED | Flag.LATE, at_us=MINUTE_US),
        Row(5, agent="us-east-1", outcome=Outcome.INCONCLUSIVE), Row(6, flags=Flag.SATURATED, at_us=1),
    ])  # fmt: skip
    assert counts(store, ask(0, 5 * MINUTE_US, 5 * MINUTE_US)) == [
        ("twitter", "in-west", 0, 1, 0, 4, MINUTE_US),
        ("twitter", "us-east", 0, 0, 0, 1, 0),
    ]


@pytest.mark.parametrize("days_old", [0, 2], ids=["from results", "from roll-ups alone"])
def test_what_was_asked_for_counts_in_no_figure(store: Store, days_old: int) -> None:
    """Results beyond the schedule can be read; counts, known time and timings leave them out."""
    rows = [
        Row(1), Row(2, flags=Flag.ASKED, outcome=Outcome.HTTP), Row(3, flags=Flag.ASKED, at_us=2 * MINUTE_US),
        Row(4, flags=Flag.ASKED | Flag.SATURATED), Row(5, agent="us-east-1", flags=Flag.ASKED),
    ]  # fmt: skip
    put(store, rows)
    assert found(store) == rows
    kept_up(store, raw_before_us=NOON_US + days_old * DAY_US)
    assert bool(found(store)) is not bool(days_old)
    question = ask(0, 5 * MINUTE_US, 5 * MINUTE_US, timing="total")
    assert counts(store, question) == [("twitter", "in-west", 0, 1, 0, 0, MINUTE_US)]
    assert store.summary(question).bin_count.tolist() == [1]


def test_known_time_is_whole_minutes_within_the_step(store: Store) -> None:
    """A minute with any result that tells something is known, as far as it lies in step and window."""
    put(store, [Row(i, at_us=second * SECOND_US) for i, second in enumerate((10, 50, 75, 130), start=1)])
    half = 30 * SECOND_US
    assert counts(store, ask(0, 90 * SECOND_US, 45 * SECOND_US)) == [
        ("twitter", "in-west", 0, 1, 0, 0, 45 * SECOND_US),
        ("twitter", "in-west", 45 * SECOND_US, 2, 0, 0, 45 * SECOND_US),
    ]
    assert counts(store, ask(0, 5 * half, 5 * half)) == [("twitter", "in-west", 0, 4, 0, 0, 5 * half)]


def test_step_of_nothing_is_the_whole_window(store: Store) -> None:
    """Callers that want one number a group need not do the sum."""
    put(store, [Row(i, at_us=i * MINUTE_US) for i in range(3)])
    assert counts(store, ask(0, 3 * MINUTE_US, 0)) == [("twitter", "in-west", 0, 3, 0, 0, 3 * MINUTE_US)]


def test_upkeep_forgets_whole_days_only(store: Store) -> None:
    """A day goes when all of it ended before the time; ranges stay, so nothing expired comes back."""
    put(store, [Row(i, at_us=(i - 3) * DAY_US) for i in range(1, 6)])
    assert kept_up(store, NOON_US - DAY_US) == 1
    assert sequences(store) == [2, 3, 4, 5]
    assert kept_up(store, NOON_US - DAY_US // 2 - 1) == 0
    assert kept_up(store, NOON_US - DAY_US // 2) == 1
    assert store.received() == {WEST_1: Ranges([(1, 5)])}
    put(store, [Row(1, at_us=-2 * DAY_US)])
    assert sequences(store) == [3, 4, 5]


def test_late_results_of_an_expired_day_go_with_the_next_upkeep(store: Store) -> None:
    """They are taken, for they were promised to be, and forgotten like all of their day."""
    kept_up(store, NOON_US)
    put(store, [Row(1, at_us=-9 * DAY_US)])
    assert sequences(store) == [1]
    assert kept_up(store, NOON_US) == 1
    assert found(store) == []


def test_closing_twice_is_safe(store: Store) -> None:
    """Whoever ends a program may not know who closed what."""
    store.close()
    store.close()
    with pytest.raises(StoreError):
        put(store, [Row(1)])


def test_append_goes_on_while_results_are_read(store: Store) -> None:
    """A reader that stops half-way holds up neither writers nor expiry."""
    number = PAGE_RESULTS + 1
    store.append(many(1, number, apart_us=1000), [ReceivedRange(WEST_1, 1, number)], FLEET)
    reading = store.results(ALL)
    first = len(next(reading))
    put(store, [Row(number + 1, received_us=0)])
    rest = sum(len(batch) for batch in reading)
    assert first + rest >= number
    assert store.received()[WEST_1].count() == number + 1
