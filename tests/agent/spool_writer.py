"""A process that appends to a spool without end and says what is on disk, to be killed."""

import sys
from pathlib import Path

from faultline.ranges import Ranges
from tests.agent.stage import NOW_US, open_spool, plain_encode, result


def main() -> None:
    """Prints `+first last` for each batch on disk, `-first last` for each that it is about to forget."""
    spool = open_spool(Path(sys.argv[1]), max_bytes=20_000)
    print(f"spool {spool.spool_id}", flush=True)
    at = 0
    while True:
        at += 1
        parcel = spool.append([result()] * (1 + at % 7), plain_encode, NOW_US + at)
        print(f"+{parcel.first} {parcel.last}", flush=True)
        if at % 5 == 0:
            print(f"-{parcel.first} {parcel.last}", flush=True)
            spool.forget(Ranges([(parcel.first, parcel.last)]))


if __name__ == "__main__":
    main()
