"""The disk under the outbox is full while InfluxDB is away: it is said, and nothing is lost."""

import json
import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faultline_collector.lab.lab import Lab, LabOptions
from faultline_collector.lab.servers import INFLUXD
from faultline_collector.stores.influxdb.segments import RESERVE_BYTES
from tests.e2e.kills import account_of_influxdb, caught_up, kill, until
from tests.servers.influxdb import influxd_program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
log = logging.getLogger(__name__)

DISK_BYTES = RESERVE_BYTES + 4 * 1024**2
ROOM_BYTES = 32 * 1024
SPOOLED = 80


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root only")
    options = f"size={DISK_BYTES},mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> None:
    """Leaves the outbox a little room, beside what it never takes."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "ballast").open("wb") as file:
        file.write(b"x" * (free - RESERVE_BYTES - ROOM_BYTES))


def spooled(lab: Lab) -> int:
    """How many results wait at the agent that has the fewest."""
    files = [lab.agent_folder(vantage) / "status.json" for vantage in lab.world.vantages]
    return min(int(json.loads(file.read_text(encoding="utf-8"))["spool"]["results"]) for file in files)


def health(lab: Lab) -> str:
    """What the collector says of itself."""
    return httpx.get(f"{lab.web}/healthz", trust_env=False).text


async def test_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    """Agents keep their results, the collector lives and says why; with room again all is stored once."""
    influxd_program()
    folder = Path("build/e2e/full")
    options = LabOptions(
        folder, agents=2, interval_s=2.0, web_port=0, influxdb=True, outbox=small_disk / "outbox"
    )
    lab = Lab(options)
    try:
        await lab.open(log.info)
        kill(lab.servers.crew[INFLUXD])
        fill(small_disk)
        await until(lambda: "No space left" in health(lab), "the collector says that the disk is full")
        log.info("%s", health(lab))
        await until(lambda: spooled(lab) > SPOOLED, "agents keep what the collector cannot")
        assert not lab.crew.dead()
        (small_disk / "ballast").unlink()
        await lab.servers.start(INFLUXD)
        await caught_up(lab)
        total = await account_of_influxdb(lab)
    finally:
        await lab.close()
    log.info("%s", total)
    assert not total.problems
    assert total.stored > 2 * SPOOLED
