"""What takes longer than CI has: `make soak`. Prints as it goes and writes docs/soak.md from what it saw.

`python -m tests.soak [NAME ...]`: FAULTLINE_SOAK_KILLS, _SERVER_KILLS, _AWAY_S, _INPUTS, _EXAMPLES, _DAY_S.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from google.protobuf.message import DecodeError

from faultline.v1 import results_pb2
from faultline_collector.ingest.admit import admit
from faultline_collector.ingest.decode import claimed, decode
from faultline_collector.ingest.wire import BadBatch
from faultline_collector.results import Source
from tests.bench.day import MOST_BYTES, make_day, watch_replay
from tests.collector.ingest.worlds import NOW_US, batch
from tests.e2e.away import RATE, run_away
from tests.e2e.kills import Kills, run_kills
from tests.servers.influxdb import Influxd, influxd_program
from tests.servers.process import running

KILLS = int(os.environ.get("FAULTLINE_SOAK_KILLS", "100"))
SERVER_KILLS = int(os.environ.get("FAULTLINE_SOAK_SERVER_KILLS", "20"))
AWAY_S = int(os.environ.get("FAULTLINE_SOAK_AWAY_S", "3600"))
INPUTS = int(os.environ.get("FAULTLINE_SOAK_INPUTS", "2000000"))
EXAMPLES = int(os.environ.get("FAULTLINE_SOAK_EXAMPLES", "5000"))
DAY_S = int(os.environ.get("FAULTLINE_SOAK_DAY_S", "86400"))
SEED = int(os.environ.get("FAULTLINE_SOAK_SEED", str(time.time_ns() % 2**32)))
PAGE = Path("docs/soak.md")
HEAD = """# The last soak

Written by `make soak`, which runs what takes longer than CI has; one of them alone by
`.venv/bin/python -m tests.soak NAME`. FAULTLINE_SOAK_KILLS, _SERVER_KILLS, _AWAY_S, _INPUTS, _EXAMPLES,
_DAY_S and _SEED set how much.

| soak | what was done | what was seen | seconds | on |
| --- | --- | --- | ---: | --- |
"""

Seen = tuple[bool, str, str]


def kills() -> Seen:
    """kill -9 of agents and of the collector in the middle of the lab."""
    return _killed("kills", Kills(KILLS, KILLS), "agents over gRPC, DuckDB")


def servers() -> Seen:
    """kill -9 of everything, real servers too, in the middle of the lab."""
    number = SERVER_KILLS
    return _killed("servers", Kills(number, number, number, number), "every other agent over MQTT, InfluxDB")


def _killed(name: str, wanted: Kills, world: str) -> Seen:
    say = partial(print, flush=True)
    total = asyncio.run(run_kills(Path("build/soak") / name, wanted, SEED, say))
    done = f"kill -9 at random moments: {wanted}; 6 agents, {world} (seed {SEED})"
    seen = (
        f"{total.recorded} results recorded in {total.spools} spools: {total.stored} stored once, "
        f"{total.rejected} rejected, {total.dropped} dropped, problems: {total.problems or 'none'}"
    )
    return not total.problems, done, seen


def away() -> Seen:
    """InfluxDB away for an hour of load, then back beside live load."""
    with (
        TemporaryDirectory(dir="build") as folder,
        running(Influxd(influxd_program(), Path(folder) / "influxd")) as server,
    ):
        seen = run_away(server, Path(folder), AWAY_S, partial(print, flush=True))
    done = f"influxd killed, {AWAY_S} s of load ({seen.away_results} results) in the outbox, then back"
    said = (
        f"drained at {seen.drain_rate:.0f} results a second beside {RATE} live ones "
        f"({seen.drain_rate / RATE:.1f} times the live rate); {seen.total.stored} stored once of "
        f"{seen.total.recorded}, problems: {seen.total.problems or 'none'}"
    )
    return not seen.total.problems and seen.drain_rate > 3 * RATE, done, said


def wire() -> Seen:
    """Spoilt batches through the collector's decoding and admission."""
    random, source, assigned = Random(SEED), Source("a", "s"), frozenset({"t-0", "t-1"})
    whole = [batch(count=n).SerializeToString() for n in (1, 3, 20)]
    read = refused = unreadable = 0
    for number in range(INPUTS):
        try:
            data = odd(random).SerializeToString() if number % 2 else spoilt(random.choice(whole), random)
            message = results_pb2.Batch.FromString(data)
            claimed(message)
            admit(decode(message, source, 0, NOW_US), assigned)
            read += 1
        except DecodeError:
            unreadable += 1
        except BadBatch:
            refused += 1
        if number % 100_000 == 0:
            print(f"wire: {number} of {INPUTS}", flush=True)
    done = f"{INPUTS} batches with spoilt bytes or odd columns through decoding and admission (seed {SEED})"
    return (
        True,
        done,
        f"{read} read, {refused} refused with a reason, {unreadable} not protobuf; no other error",
    )


def spoilt(data: bytes, random: Random) -> bytes:
    """The bytes with a few changed, cut, doubled or moved."""
    spoiling = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(spoiling)) if spoiling else 0
        match random.randrange(4):
            case 0 if spoiling:
                spoiling[at] = random.randrange(256)
            case 1:
                del spoiling[at : at + random.randint(1, 8)]
            case 2:
                spoiling[at:at] = random.randbytes(random.randint(1, 8))
            case _:
                spoiling += spoiling[at : at + random.randint(1, 16)]
    return bytes(spoiling)


def odd(random: Random) -> results_pb2.Batch:
    """A batch in which one or two columns have odd lengths or values."""
    count = random.choice((1, 2, 5, 20))
    unsigned = (0, 1, 2, 255, 256, 65_536, 2**32 - 1)
    columns = {
        "target": unsigned,
        "started_delta_us": (0, 1, -1, NOW_US, 2**63 - 1, -(2**63)),
        "attempt": unsigned,
        "outcome": (0, 1, 7, 8, 9, -1, 2**31 - 1),
        "status": unsigned,
        "family": unsigned,
        "flags": unsigned,
        "detail": unsigned,
    }
    chosen = random.sample(sorted(columns), random.randint(1, 2))
    spoiling = {
        name: [
            random.choice(columns[name]) for _ in range(random.choice((count, count, count - 1, count + 1)))
        ]
        for name in chosen
    }
    return batch(random.choice((0, 1, 2**63 - 2, 2**64 - count)), count, **spoiling)


def properties() -> Seen:
    """The property tests with many more examples."""
    environment = os.environ | {"FAULTLINE_SOAK": "1", "FAULTLINE_SOAK_EXAMPLES": str(EXAMPLES)}
    command = [sys.executable, "-m", "pytest", "-m", "hypothesis and not browser and not e2e"]
    code = subprocess.run([*command, "-q", "--timeout=3600", "tests"], env=environment).returncode
    done = f"every property test with {EXAMPLES} examples, or as many as it says itself"
    return code == 0, done, "all passed" if code == 0 else f"pytest ended with {code}"


def incidents() -> Seen:
    """All incidents, those too that `make test` has no time for."""
    command = [sys.executable, "-m", "pytest", "-q", "-rx", "-m", "e2e", "tests/collector/incidents"]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)
    return done.returncode == 0, "every incident replayed", done.stdout.strip().splitlines()[-1]


def day() -> Seen:
    """A day of 1,000 agents x 100 targets at 30 s through replay, its memory watched."""
    with TemporaryDirectory(dir="build") as folder:
        seen = watch_replay(make_day(Path(folder) / "day", DAY_S))
    tenths = ", ".join(f"{size / 1e6:.0f}" for size in seen.course)
    done = f"{seen.rows} results, {DAY_S} s of 1,000 agents x 100 targets at 30 s, through `faultline replay`"
    said = (
        f"{seen.rows / seen.cpu_s:.0f} results/CPU-s, at most {seen.most_bytes / 1e6:.0f} MB of 1500 "
        f"(by tenths of the time: {tenths}); {len(seen.told)} outages told"
    )
    return seen.most_bytes < MOST_BYTES and len(seen.told) == 1, done, said


SOAKS: dict[str, Callable[[], Seen]] = {
    "kills": kills,
    "servers": servers,
    "away": away,
    "wire": wire,
    "properties": properties,
    "incidents": incidents,
    "day": day,
}


def main(names: list[str]) -> int:
    """Runs the named soaks or all; the page keeps the last line of each."""
    unknown = [name for name in names if name not in SOAKS]
    if unknown:
        print(f"{unknown[0]}: is not one of {', '.join(SOAKS)}", file=sys.stderr)
        return 2
    good = True
    for name in names or SOAKS:
        print(f"soak {name} ...", flush=True)
        began = time.monotonic()
        passed, done, seen = SOAKS[name]()
        good &= passed
        line = f"| {name} | {done} | {seen} | {time.monotonic() - began:.0f} | {datetime.now(UTC):%Y-%m-%d} |"
        print(line, flush=True)
        note(line)
    return 0 if good else 1


def note(line: str) -> None:
    """Puts a line into the page, in place of the older one of the same soak."""
    name = line.split("|")[1]
    old = PAGE.read_text().splitlines() if PAGE.exists() else []
    rows = [each for each in old if each.split(" ")[:2] in [["|", soak] for soak in SOAKS]]
    lines = [each for each in rows if each.split("|")[1] != name]
    PAGE.write_text(HEAD + "\n".join([*lines, line]) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
