"""A process that appends until it is killed, and says what is durable: `appender URL FOLDER FIRST SEED`."""

import sys
from pathlib import Path
from random import Random
from typing import NoReturn

from faultline_collector.results import Source
from faultline_collector.stores import open_store
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.store import ReceivedRange
from tests.collector.stores.rows import DAY_US, FLEET, Row, many

SOURCE = Source("in-west-1", "s1")
SIZES = (1, 40, 400)


def main(url: str, folder: Path, first: int, random: Random) -> NoReturn:
    """Appends batches of any size, some to another day; now and then it keeps up."""
    store = open_store(url, StoreOptions(token_file=folder / "token", outbox=folder / "outbox"))
    print("open", flush=True)
    while True:
        number = random.choice(SIZES)
        last = first + number - 1
        at_us = random.choice((0, -DAY_US)) + first * 1000
        row = Row(first, at_us=at_us, target=f"t{random.randrange(50)}", detail="refused")
        store.append(many(first, number, row), [ReceivedRange(SOURCE, first, last)], FLEET)
        print(last, flush=True)
        if random.random() < 0.1:
            store.upkeep(0, 0)
        first = last + 1


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Random(sys.argv[4]))
