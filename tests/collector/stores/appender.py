"""A process that appends until it is killed, and says what was acknowledged: `appender PATH FIRST SEED`.

With a fourth word it folds some of it after every append.
"""

import sys
from pathlib import Path
from random import Random

from faultline_collector.results import Source
from faultline_collector.stores.duckdb import DuckdbStore
from faultline_collector.stores.store import ReceivedRange
from tests.collector.stores.rows import DAY_US, FLEET, Row, many

SOURCE = Source("in-west-1", "s1")
SIZES = (1, 400, 10_000)


def main(path: Path, first: int, random: Random, *, folding: bool) -> None:
    """Appends batches of any size, some to another day, some with ranges only."""
    store = DuckdbStore(path, max_logged_ranges=40)
    print("open", flush=True)
    while True:
        number = random.choice(SIZES)
        last = first + number - 1
        row = Row(
            first, at_us=random.choice((0, DAY_US)), target=f"t{random.randrange(50)}", detail="refused"
        )
        store.append(many(first, number, row), [ReceivedRange(SOURCE, first, last)], FLEET)
        if folding:
            store.upkeep(0, 0)
        print(last, flush=True)
        first = last + 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Random(sys.argv[3]), folding=len(sys.argv) > 4)
