"""The registry's fleet: what the configuration says, and the agents that stand in it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faultline_collector.config import CollectorConfig
from faultline_collector.fleet import Agent
from faultline_collector.presence import Sighting
from faultline_collector.registry.database import RegistryError
from faultline_collector.registry.registry import Registry
from tests.collector.registry.conftest import config_of


def test_fleet_is_what_the_configuration_says(registry: Registry, config: CollectorConfig) -> None:
    """Nothing is lost or reordered on the way through the tables; components keep their order."""
    assert registry.fleet() == config.fleet()
    assert registry.fleet().services[0].components == ("web", "login", "api")


def test_applying_again_replaces(registry: Registry) -> None:
    """What is no longer in the configuration goes; what is new comes."""
    other = config_of(regions=("us-east", "au-south"), asns=(55836, 1221))
    registry.apply(other)
    registry.apply(other)
    assert registry.fleet() == other.fleet()


def test_agents_stay_when_the_configuration_changes(registry: Registry) -> None:
    """They belong to the registry; their place is told by the region."""
    registry.add_agent("us-east-1", region="us-east", asn=7018, site="rack 4")
    registry.apply(config_of(regions=("us-east",), asns=(7018,)))
    assert registry.fleet().agents == (Agent("us-east-1", "us-east", "IN", 7018, "rack 4", 19.1, 72.9),)


@pytest.mark.parametrize(
    ("regions", "asns", "sentence"),
    [
        (("us-east",), (7018, 55836), "region 'in-west' cannot go while agent 'a' stands in it"),
        (("in-west",), (7018,), "network 55836 cannot go while agent 'a' stands in it"),
    ],
    ids=["region", "network"],
)
def test_place_of_an_agent_cannot_go(
    registry: Registry, regions: tuple[str, ...], asns: tuple[int, ...], sentence: str
) -> None:
    """Such a configuration is refused as a whole, with a sentence."""
    registry.add_agent("a", region="in-west", asn=55836)
    before = registry.fleet()
    with pytest.raises(RegistryError) as caught:
        registry.apply(config_of(regions, asns))
    assert str(caught.value) == sentence
    assert registry.fleet() == before


def test_token_opens_for_its_agent_only(registry: Registry) -> None:
    """Until the agent is removed."""
    tokens = [registry.add_agent(name, region="in-west", asn=55836) for name in ("a", "b")]
    assert [registry.authenticate(token) for token in tokens] == ["a", "b"]
    assert registry.authenticate("") is None
    assert registry.authenticate(tokens[0] + "x") is None
    registry.remove_agent("a")
    assert [registry.authenticate(token) for token in tokens] == [None, "b"]


def test_token_is_stored_as_a_hash_only(tmp_path: Path, config: CollectorConfig) -> None:
    """Whoever reads the file cannot act as an agent."""
    registry = Registry(f"sqlite:///{tmp_path}/registry.db")
    registry.apply(config)
    token = registry.add_agent("a", region="in-west", asn=55836)
    registry.close()
    assert len(token) >= 43
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("agent", "region", "asn", "sentence"),
    [
        ("a", "in-west", 55836, "there is already an agent 'a'"),
        ("b", "mars", 55836, "'mars' is not among the regions"),
        ("b", "in-west", 1, "1 is not among the networks"),
        (
            "b c",
            "in-west",
            55836,
            "'b c' is not an id: letters, digits, '.', '_' and '-', the first a letter or digit",
        ),
    ],
    ids=["taken", "region", "network", "id"],
)
def test_agent_that_cannot_be_added(
    registry: Registry, agent: str, region: str, asn: int, sentence: str
) -> None:
    """Each reason is one sentence, and nothing is added."""
    registry.add_agent("a", region="in-west", asn=55836)
    with pytest.raises(RegistryError) as caught:
        registry.add_agent(agent, region=region, asn=asn)
    assert str(caught.value) == sentence
    assert [known.id for known in registry.fleet().agents] == ["a"]


def test_removing_nobody_is_a_sentence(registry: Registry) -> None:
    """A typing error does not pass for success."""
    with pytest.raises(RegistryError, match="there is no agent 'a'"):
        registry.remove_agent("a")


def test_noted_version_is_in_the_fleet(registry: Registry) -> None:
    """What an agent says of itself; strangers are ignored."""
    registry.add_agent("a", region="in-west", asn=55836)
    registry.add_agent("b", region="in-west", asn=55836)
    seen = Sighting("a", 7, "0.1.0", "c0ffee")
    registry.note_agents([seen, Sighting("stranger", 7, "9", "")])
    told = [(agent.id, agent.version, agent.ca_bundle) for agent in registry.fleet().agents]
    assert told == [("a", "0.1.0", "c0ffee"), ("b", "", "")]
    assert registry.sightings() == (seen,)


def test_many_threads_may_write(registry: Registry) -> None:
    """Writers wait for each other instead of failing."""
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda i: registry.add_agent(f"a{i}", region="in-west", asn=7018), range(24)))
    assert sorted(agent.id for agent in registry.fleet().agents) == sorted(f"a{i}" for i in range(24))
    assert {registry.authenticate(token) for token in tokens} == {f"a{i}" for i in range(24)}


_ADDS = """
import sys
from faultline_collector.registry.registry import Registry
registry = Registry(sys.argv[1])
for i in range(10):
    print(registry.add_agent(f"other-{i}", region="in-west", asn=7018), flush=True)
registry.close()
"""


@pytest.mark.timeout(120)
def test_several_processes_share_a_registry(tmp_path: Path, config: CollectorConfig) -> None:
    """The command adds agents while the collector runs, and the collector sees them at once."""
    url = f"sqlite:///{tmp_path}/registry.db"
    registry = Registry(url)
    registry.apply(config)
    adding = [sys.executable, "-c", _ADDS, url]
    with subprocess.Popen(adding, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        tokens = [process.stdout.readline().strip()]
        for i in range(10):
            registry.add_agent(f"own-{i}", region="us-east", asn=7018)
        tokens += process.stdout.read().split()
    assert len(registry.fleet().agents) == 20
    assert [registry.authenticate(token) for token in tokens] == [f"other-{i}" for i in range(10)]
    registry.close()
