"""What the lab writes for its collector and agents is what they read."""

from pathlib import Path

import pytest

from faultline.config import read_config
from faultline_agent.config import AgentConfig
from faultline_agent.probes import PROBES
from faultline_collector.config import CollectorConfig, load_config
from faultline_collector.fleet import Fleet
from faultline_collector.lab.settings import Wiring, agent_settings, collector_settings, write_yaml
from faultline_collector.lab.world import World


@pytest.fixture
def config(world: World, tmp_path: Path) -> CollectorConfig:
    """The collector's settings, written and read."""
    wiring = Wiring(7443, 8080, 5.0, tmp_path / "authority.pem")
    return load_config(write_yaml(tmp_path / "collector.yaml", collector_settings(world, tmp_path, wiring)))


@pytest.fixture
def fleet(config: CollectorConfig) -> Fleet:
    """What they say of the fleet."""
    return config.fleet()


def test_collector_reads_the_whole_world(fleet: Fleet) -> None:
    """Regions, networks, providers, services and targets are all there, each probed every 5 s."""
    counts = (len(fleet.regions), len(fleet.networks), len(fleet.providers), len(fleet.services))
    assert counts == (12, 12, 4, 12)
    assert len(fleet.targets) == 22
    assert {target.interval_s for target in fleet.targets} == {5.0}


def test_collector_is_told_of_the_lab_s_own_servers(world: World, tmp_path: Path) -> None:
    """The broker stands in its file; what the lab has not, does not."""
    broker = {"url": "mqtt://127.0.0.1:1883", "user": "faultline-collector", "password_file": "/tmp/password"}
    wiring = Wiring(7443, 8080, 5.0, tmp_path / "authority.pem", {"broker": broker})
    settings = collector_settings(world, tmp_path, wiring)
    config = load_config(write_yaml(tmp_path / "collector.yaml", settings))
    assert config.broker is not None
    assert config.broker.url == broker["url"]


def test_agent_understands_every_target(fleet: Fleet) -> None:
    """Each is a probe that the agent has, with settings that it accepts."""
    for target in fleet.targets:
        assert PROBES[target.kind].model_validate(dict(target.settings)).kind == target.kind


def test_agent_reads_its_own_file_and_may_probe_its_addresses(world: World, tmp_path: Path) -> None:
    """Its policy allows the lab's addresses and nothing else."""
    vantage = world.vantages[0]
    path = write_yaml(tmp_path / "agent.yaml", agent_settings(world, vantage, tmp_path, 5.0))
    policy = read_config(path, AgentConfig).policy.policy()
    assert not policy.refusal(world.address(vantage, "twitter"), 18100)
    assert policy.refusal("127.0.0.1", 22)
