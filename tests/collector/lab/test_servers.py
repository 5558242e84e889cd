"""The lab's own servers are real ones, end with it, and stand up again."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultline_collector.commands import main
from faultline_collector.lab.lab import part_of
from faultline_collector.lab.servers import INFLUXD, MOSQUITTO, NoServer, Servers, Wanted
from faultline_collector.lab.world import make_world
from tests.servers.influxdb import influxd_program


@asynccontextmanager
async def opened(wanted: Wanted, folder: Path) -> AsyncIterator[Servers]:
    """Servers that answer, ended afterwards."""
    servers = Servers(wanted, folder)
    try:
        for name in servers.names:
            await servers.open(name, {"a": "secret"})
        yield servers
    finally:
        await servers.close()


async def test_broker_is_there_with_its_users(tmp_path: Path, program: Callable[[str], str]) -> None:
    """The collector is told of it without its password; killed, it is started again on its port."""
    program("mosquitto")
    async with opened(Wanted(mosquitto=True), tmp_path) as servers:
        said = servers.settings()
        assert list(said) == ["broker"]
        password, users = _secret(said["broker"]["password_file"]), _users(tmp_path)
        assert password not in str(said)
        assert {line.split(":")[0] for line in users} == {"a", "faultline-collector"}
        assert not any("secret" in line or password in line for line in users)
        servers.crew[MOSQUITTO].child.kill()
        servers.crew[MOSQUITTO].child.wait()
        assert [process.name for process in servers.crew.dead()] == [MOSQUITTO]
        await servers.start(MOSQUITTO)
        assert not servers.crew.dead()
    assert [process.name for process in servers.crew.dead()] == [MOSQUITTO]


def _secret(file: str) -> str:
    return Path(file).read_text().strip()


def _users(folder: Path) -> list[str]:
    return (folder / "servers" / "mosquitto" / "passwords").read_text().splitlines()


async def test_influxdb_is_there_with_its_token(tmp_path: Path) -> None:
    """The token lies in a file that only its owner reads, and nowhere else."""
    influxd_program()
    async with opened(Wanted(influxdb=True), tmp_path) as servers:
        token = _secret(str(servers.token_file))
        assert servers.token_file.stat().st_mode & 0o077 == 0
        assert str(servers.settings()["store"]).startswith("influxdb://127.0.0.1:")
        assert token not in str(servers.settings())
        assert token not in str(servers.crew[INFLUXD].child.args)


def test_missing_server_is_one_sentence_and_exit_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["demo", "--store", "influxdb", "--dir", str(tmp_path / "demo")])
    assert (result.exit_code, result.output) == (
        2,
        "faultline: influxd is not on this machine (make influxd)\n",
    )
    with pytest.raises(NoServer, match="influxd is not on this machine"):
        Servers(Wanted(influxdb=True), tmp_path)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.5, 18), (1.0, 36), (0.1, 3)])
def test_share_of_agents_is_taken_evenly(share: float, count: int) -> None:
    """No region has more than its part, give or take one."""
    world = make_world()
    chosen = part_of(world.vantages, share)
    assert len(chosen) == count
    for place in world.places:
        here = [vantage for vantage in chosen if vantage.region == place.id]
        assert abs(len(here) - 3 * share) < 1
