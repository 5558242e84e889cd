"""The fleet in step with registry and configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from faultline_collector.config import CollectorConfig, load_config
from faultline_collector.fleet import Fleet
from faultline_collector.registry.database import RegistryError
from faultline_collector.registry.registry import Registry
from faultline_collector.roster import Roster
from tests.collector.app.process import HEALTHY, settings


class Bench:
    """A roster over a real registry and a real file."""

    def __init__(self, place: Path) -> None:
        self.data: dict[str, Any] = settings(place)
        self.path = place / "collector.yaml"
        self.registry = Registry(self.data["registry"])
        self.registry.apply(self.write())
        self.told: list[Fleet] = []
        self.roster = Roster(self.registry, load_config(self.path), self.path, self.registry.fleet())
        self.roster.changed.append(self.told.append)

    def write(self) -> CollectorConfig:
        """Writes the configuration and reads it."""
        self.path.write_text(yaml.safe_dump(self.data))
        return load_config(self.path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A roster that nobody has told of anything."""
    one = Bench(tmp_path)
    yield one
    one.registry.close()


async def test_an_agent_that_was_added_is_told_once(bench: Bench) -> None:
    """Whatever another process adds is found by looking again; nothing new is no news."""
    bench.registry.add_agent("west-1", region="west", asn=64500)
    await bench.roster.refresh()
    await bench.roster.refresh()
    assert [[agent.id for agent in fleet.agents] for fleet in bench.told] == [["west-1"]]


async def test_a_good_configuration_is_taken_over_whole(bench: Bench) -> None:
    """After a reload the fleet is what the file says."""
    bench.data["services"].pop()
    bench.data["retention"] = {"raw": "3d"}
    bench.write()
    await bench.roster.reload()
    assert [target.id for target in bench.roster.fleet.targets] == list(HEALTHY)
    assert bench.roster.config.retention.raw.days == 3
    assert len(bench.told) == 1


async def test_what_takes_a_restart_is_said_until_there_was_one(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each time: what is in force is still the old."""
    bench.data["broker"] = {"url": "mqtt://127.0.0.1"}
    bench.write()
    for _ in range(2):
        await bench.roster.reload()
        assert "after_a_restart=['broker']" in capsys.readouterr().out


async def test_of_a_bad_configuration_nothing_is_taken(bench: Bench) -> None:
    """A file with a mistake changes nothing."""
    before = bench.roster.config
    bench.path.write_text("services: []")
    await bench.roster.reload()
    assert bench.roster.config is before
    assert bench.told == []


class NoBook:
    """A registry that does not answer."""

    def fleet(self) -> Fleet:
        """Fails."""
        raise RegistryError("the disk is gone")

    def apply(self, config: CollectorConfig) -> None:
        """Fails."""
        raise RegistryError("the disk is gone")


async def test_a_registry_that_fails_leaves_all_as_it_is(bench: Bench) -> None:
    """Without a registry the fleet at work goes on."""
    roster = Roster(NoBook(), bench.roster.config, bench.path, bench.roster.fleet)
    roster.changed.append(bench.told.append)
    await roster.refresh()
    await roster.reload()
    assert roster.fleet is bench.roster.fleet
    assert bench.told == []
