"""Every store is fed the same as memory, ages the same and is asked the same: the answers must be equal."""

from contextlib import closing
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline_collector.stores import open_store
from faultline_collector.stores.store import ResultQuery
from faultline_collector.stores.summary import Span, Summary, SummaryQuery, SummaryRow
from tests.collector.stores.conftest import Fresh
from tests.collector.stores.rows import DAY_US, NOON_US, SECOND_US, Row, found, kept_up, put

AGENTS = ("in-1", "in-2", "us-1")
TARGETS = ("web", "login", "bank")

times = st.one_of(
    st.integers(-3 * DAY_US, 3 * DAY_US),
    st.integers(-3, 3).map(lambda minutes: minutes * 60 * SECOND_US),
    st.integers(-2, 2),
)
timings = st.dictionaries(
    st.sampled_from(("dns", "connect", "select", "order")), st.integers(0, 2**31 - 1), max_size=3
)
rows = st.builds(
    Row,
    sequence=st.integers(1, 12),
    agent=st.sampled_from(AGENTS),
    target=st.sampled_from(TARGETS),
    at_us=times,
    spool=st.sampled_from(("s1", "s2")),
    offset_us=st.integers(-DAY_US, DAY_US),
    received_us=times,
    attempt=st.integers(0, 1),
    outcome=st.integers(1, 8),
    status=st.integers(0, 65535),
    family=st.sampled_from((0, 4, 6)),
    flags=st.integers(0, 7),
    detail=st.sampled_from(("", "refused", "zeitüberschreitung", "a'; DROP TABLE sources; --")),
    timings_us=timings.map(lambda found: {"total": 1} | found),
)
queries = st.builds(
    ResultQuery,
    since_us=times.map(lambda at: NOON_US + at),
    until_us=times.map(lambda at: NOON_US + at),
    agent_ids=st.none() | st.frozensets(st.sampled_from((*AGENTS, "nobody"))),
    target_ids=st.none() | st.frozensets(st.sampled_from((*TARGETS, "nothing"))),
    latest=st.booleans(),
    newest_first=st.booleans(),
    limit=st.integers(0, 4),
)
windows = st.lists(times, min_size=2, max_size=2, unique=True).map(sorted) | st.just(
    [-4 * DAY_US, 4 * DAY_US]
)
everyone = st.just(None)
questions = st.builds(
    lambda window, **more: SummaryQuery(NOON_US + window[0], NOON_US + window[1], **more),
    windows,
    step_us=st.sampled_from((0, 60 * SECOND_US, 300 * SECOND_US, 7 * SECOND_US + 1, DAY_US)),
    target_groups=st.sampled_from(
        (
            {"web": "x", "login": "y", "bank": "x"},
            dict.fromkeys(TARGETS, "all"),
            {"bank": "z", "nothing": "y"},
        )
    ),
    regions=everyone | st.frozensets(st.sampled_from(("in", "us", "nowhere")), min_size=1),
    asns=everyone | st.frozensets(st.sampled_from((9829, 55836, 1)), min_size=1),
    families=everyone | st.frozensets(st.sampled_from((0, 4, 6)), min_size=1),
    by_region=st.booleans(),
    by_network=st.booleans(),
    by_family=st.booleans(),
    timing=st.sampled_from(("", "total", "dns", "nothing")),
)


class Stored(NamedTuple):
    """Results that are appended."""

    rows: list[Row]


class Aged(NamedTuple):
    """Upkeep that forgets results which began before, microseconds after `NOON_US`."""

    raw_before_us: int


stored = st.builds(
    Stored, st.lists(rows, min_size=3, max_size=12, unique_by=lambda r: (r.source, r.sequence))
)
steps = st.tuples(stored, st.lists(stored | st.builds(Aged, times), max_size=5)).map(
    lambda life: [life[0], *life[1]]
)


def pairs(summary: Summary) -> tuple[list[SummaryRow], tuple[Span, ...]]:
    """All of a summary that can be compared."""
    return list(summary.rows()), summary.rounded


def test_a_store_gives_the_same_answers_as_memory(fresh: Fresh, examples: int) -> None:
    """Results, their order, ranges and history do not depend on where they are kept or what was forgotten.

    Late results come to days that are folded, closed or forgotten; windows begin and end anywhere.
    """

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps, st.lists(queries, max_size=4), st.lists(questions, min_size=1, max_size=4))
    def same(life: list[Stored | Aged], asked: list[ResultQuery], counted: list[SummaryQuery]) -> None:
        with fresh() as other, closing(open_store("memory://")) as memory:
            for step in life:
                for store in (memory, other):
                    if isinstance(step, Stored):
                        put(store, step.rows)
                    else:
                        kept_up(store, NOON_US + step.raw_before_us)
                for question in counted:
                    assert pairs(other.summary(question)) == pairs(memory.summary(question))
            assert other.received() == memory.received()
            for query in asked:
                assert found(other, query) == found(memory, query)

    same()
