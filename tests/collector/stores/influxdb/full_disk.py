"""Fills an outbox on a small disk of its own (in namespaces of its own): `full_disk FOLDER`."""

import subprocess
import sys
from pathlib import Path

from faultline_collector.stores.influxdb.entries import Entry
from faultline_collector.stores.influxdb.outbox import Bounds, Outbox
from faultline_collector.stores.influxdb.roles import Role
from faultline_collector.stores.places import placed
from faultline_collector.stores.store import ReceivedRange, StoreError
from tests.collector.stores.rows import Row, many


def main(folder: Path) -> None:
    """Appends until the disk is full, makes room, appends again."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "outbox", str(folder)], check=True)
    outbox = Outbox(folder / "outbox", Bounds(segment_bytes=500_000, reserve_bytes=500_000))
    source, number = Row(1).source, 0
    while True:
        results = many(number * 2000 + 1, 2000)
        ranges = (ReceivedRange(source, number * 2000 + 1, number * 2000 + 2000),)
        try:
            outbox.append(Entry(placed(results, {}), (Role(),), ranges))
        except StoreError as error:
            print(error)
            break
        number += 1
    held = outbox.ranges() == [ReceivedRange(source, 1, number * 2000)] and len(outbox.unsent()) == number
    print(f"ranges are those of the entries: {held}")
    outbox.settle(outbox.unsent())
    outbox.fold(number)
    outbox.append(Entry(placed(results, {}), (Role(),), ranges))
    print(f"again after room was made: {outbox.ranges() == [ReceivedRange(source, 1, number * 2000 + 2000)]}")
    outbox.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
