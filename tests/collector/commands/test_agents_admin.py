"""`faultline agents add` and `remove`, on a registry of its own and beside a running collector."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from faultline_collector.commands import main
from faultline_collector.registry.registry import Registry
from tests.collector.api.worlds import CONFIG


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose registry no collector has used yet."""
    path = tmp_path / "collector.yaml"
    path.write_text(yaml.safe_dump(CONFIG | {"registry": f"sqlite:///{tmp_path / 'registry.db'}"}))
    return path


def agents(config: Path, *arguments: str) -> Result:
    """Runs `faultline agents ...`."""
    return CliRunner().invoke(main, ["agents", *arguments, "--config", str(config)])


def test_an_added_agent_gets_a_token_that_opens_the_registry(config: Path, tmp_path: Path) -> None:
    """The token alone is on standard output; the registry is filled where it was empty."""
    run = agents(config, "add", "west-1", "--region", "in-west", "--asn", "55836", "--site", "roof")
    assert run.exit_code == 0
    assert run.stderr == "The token of agent west-1, shown this once:\n"
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    assert registry.authenticate(run.stdout.strip()) == "west-1"
    (agent,) = registry.fleet().agents
    assert (agent.region, agent.country, agent.asn, agent.site) == ("in-west", "IN", 55836, "roof")
    registry.close()


def test_a_removed_agent_is_gone(config: Path, tmp_path: Path) -> None:
    """And its token opens nothing."""
    token = agents(config, "add", "west-1", "--region", "in-west", "--asn", "55836").stdout.strip()
    run = agents(config, "remove", "west-1")
    assert (run.exit_code, run.stderr) == (0, "removed west-1\n")
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    assert registry.authenticate(token) is None
    registry.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "a", "--region", "nowhere", "--asn", "55836"), "'nowhere' is not among the regions\n"),
        (("add", "a", "--region", "in-west", "--asn", "1"), "1 is not among the networks\n"),
        (("remove", "a"), "there is no agent 'a'\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    config: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, no traceback."""
    run = agents(config, *arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (2, "", said)


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Exit code 2."""
    run = agents(tmp_path / "none.yaml", "remove", "a")
    assert run.exit_code == 2
    assert run.stderr == f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory\n"
