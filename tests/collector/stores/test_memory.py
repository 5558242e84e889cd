"""What only the memory store does: forget."""

from faultline.ranges import Ranges
from faultline_collector.results import Source
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import ReceivedRange
from tests.collector.stores.rows import FLEET, many, sequences


def test_oldest_results_are_forgotten_and_counted() -> None:
    """The number of results is bounded; ranges stay, so what was forgotten is not taken for new."""
    source = Source("in-west-1", "s1")
    store = MemoryStore(max_results=10)
    for first in (1, 5, 9, 13):
        store.append(many(first, 4), [ReceivedRange(source, first, first + 3)], FLEET)
    assert sequences(store) == list(range(7, 17))
    assert store.forgotten == 6
    assert store.received() == {source: Ranges([(1, 16)])}
