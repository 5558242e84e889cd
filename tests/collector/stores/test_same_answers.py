"""Both stores are fed the same and asked the same: their answers must be equal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline_collector.stores import open_store
from faultline_collector.stores.store import ResultQuery, Store
from faultline_collector.stores.summary import SummaryQuery
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
    flags=st.integers(0, 3),
    detail=st.sampled_from(("", "refused", "zeitüberschreitung", "a'; DROP TABLE sources; --")),
    timings_us=timings.map(lambda found: {"total": 1} | found),
)
appends = st.lists(st.lists(rows, max_size=12, unique_by=lambda r: (r.source, r.sequence)), max_size=5)
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
questions = st.builds(
    SummaryQuery,
    since_us=times.map(lambda at: NOON_US + at),
    until_us=times.map(lambda at: NOON_US + at),
    step_us=st.sampled_from((0, 60 * SECOND_US, 300 * SECOND_US, 7 * SECOND_US + 1, DAY_US)),
    target_groups=st.dictionaries(st.sampled_from((*TARGETS, "nothing")), st.sampled_from(("x", "y"))),
    regions=st.none() | st.frozensets(st.sampled_from(("in", "us", "nowhere"))),
    asns=st.none() | st.frozensets(st.sampled_from((9829, 55836, 1))),
    families=st.none() | st.frozensets(st.sampled_from((0, 4, 6))),
    by_region=st.booleans(),
    by_network=st.booleans(),
    by_family=st.booleans(),
    timing=st.sampled_from(("", "total", "dns", "nothing")),
)


@contextmanager
def both() -> Iterator[tuple[Store, Store]]:
    """A memory store and a DuckDB store, both empty."""
    with TemporaryDirectory() as folder:
        pair = open_store("memory://"), open_store(f"duckdb://{Path(folder) / 'results.duckdb'}")
        try:
            yield pair
        finally:
            for store in pair:
                store.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    parts=appends,
    asked=st.lists(queries, min_size=1, max_size=6),
    counted=st.lists(questions, min_size=1, max_size=4),
    expired_us=times,
)
def test_stores_give_the_same_answers(
    parts: list[list[Row]], asked: list[ResultQuery], counted: list[SummaryQuery], expired_us: int
) -> None:
    """Results, their order, availability, ranges and expiry do not depend on where they are kept."""
    with both() as (memory, duckdb):
        for part in parts:
            put(memory, part)
            put(duckdb, part)
        assert memory.received() == duckdb.received()
        for query in asked:
            assert found(memory, query) == found(duckdb, query)
        for question in counted:
            assert list(memory.summary(question).rows()) == list(duckdb.summary(question).rows())
        assert kept_up(memory, NOON_US + expired_us) == kept_up(duckdb, NOON_US + expired_us)
        for question in counted:
            assert list(memory.summary(question).rows()) == list(duckdb.summary(question).rows())
        for query in asked:
            everything = replace(query, since_us=0, until_us=2**61)
            assert found(memory, everything) == found(duckdb, everything)
