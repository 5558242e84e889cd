"""A memory store and InfluxDB are fed the same and asked the same: their answers must be equal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline_collector.stores import open_store
from faultline_collector.stores.store import ResultQuery, Store
from faultline_collector.stores.summary import SummaryQuery
from tests.collector.stores.influxdb.buckets import new_store_url, options
from tests.collector.stores.rows import NOON_US, Row, found, kept_up, put
from tests.collector.stores.test_same_answers import appends, queries, questions, times
from tests.servers.influxdb import Organisation


@contextmanager
def both(place: Organisation) -> Iterator[tuple[Store, Store]]:
    """A memory store and one in InfluxDB, both empty."""
    with TemporaryDirectory() as folder:
        pair = open_store("memory://"), open_store(new_store_url(place), options(place, Path(folder)))
        try:
            yield pair
        finally:
            for store in pair:
                store.close()


@pytest.mark.timeout(240)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    parts=appends,
    asked=st.lists(queries, min_size=1, max_size=4),
    counted=st.lists(questions, min_size=1, max_size=4),
    expired_us=times,
)
def test_influxdb_gives_the_same_answers(
    influxdb: Organisation,
    parts: list[list[Row]],
    asked: list[ResultQuery],
    counted: list[SummaryQuery],
    expired_us: int,
) -> None:
    """Results, their order, summaries, ranges and expiry, while they wait in the outbox and afterwards."""
    with both(influxdb) as (memory, influx):
        for i, part in enumerate(parts):
            put(memory, part)
            put(influx, part)
            if i % 2:
                kept_up(influx)
        assert memory.received() == influx.received()
        for query in asked:
            assert found(memory, query) == found(influx, query)
        for question in counted:
            assert list(memory.summary(question).rows()) == list(influx.summary(question).rows())
        assert kept_up(memory, NOON_US + expired_us) == kept_up(influx, NOON_US + expired_us)
        for question in counted:
            assert list(memory.summary(question).rows()) == list(influx.summary(question).rows())
        for query in asked:
            everything = replace(query, since_us=0, until_us=2**61)
            assert found(memory, everything) == found(influx, everything)
