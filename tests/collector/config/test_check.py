"""`faultline check`."""

import json
from pathlib import Path

from click.testing import CliRunner

from faultline_collector.commands import main

GOOD = Path(__file__).with_name("good.yaml")
BAD = Path(__file__).parent / "bad" / "all-together.yaml"


def test_good_configuration_is_summed_up() -> None:
    """What it holds, what each agent has to do, where things are; exit 0."""
    result = CliRunner().invoke(main, ["check", str(GOOD)])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{GOOD} is good",
        "probed     2 services, 3 components, 4 targets",
        "from       2 regions, 2 networks; 2 providers",
        "load       0.333 to 0.35 probes a second for each agent",
        "results    duckdb://build/results.duckdb, kept for 30d, roll-ups for 400d",
        "registry   sqlite:///build/registry.db",
        "listens    agents at [::1]:0, web at 127.0.0.1:0",
    ]


def test_good_configuration_as_json() -> None:
    """The same as one object."""
    result = CliRunner().invoke(main, ["check", str(GOOD), "--json"])
    assert result.exit_code == 0
    said = json.loads(result.output)
    assert said["ok"] is True
    assert (said["services"], said["targets"], said["retention"]) == (2, 4, "30d")
    assert said["probes_per_second"] == {"in-west": 0.35, "us-east": 0.333}


def test_bad_configuration_ends_with_2_and_a_line_a_problem() -> None:
    """On stderr, each with the file's name; nothing on stdout; no traceback."""
    result = CliRunner().invoke(main, ["check", str(BAD)])
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 10
    assert all(line.startswith(f"{BAD}: ") for line in lines)


def test_bad_configuration_as_json() -> None:
    """Programs get the problems without the file's name before each."""
    result = CliRunner().invoke(main, ["check", str(BAD), "--json"])
    assert result.exit_code == 2
    said = json.loads(result.stdout)
    assert said["ok"] is False
    assert "services[0].provider: 'nobody' is not among the providers" in said["problems"]


def test_missing_file_is_one_sentence() -> None:
    """No usage text, no traceback."""
    result = CliRunner().invoke(main, ["check", "/nowhere/collector.yaml"])
    assert result.exit_code == 2
    assert result.stderr == "/nowhere/collector.yaml: cannot be read: No such file or directory\n"


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    """The registry's URL may hold one."""
    path = tmp_path / "collector.yaml"
    text = GOOD.read_text().replace("sqlite:///build/registry.db", "sqlite://user:s3cret@/registry.db")
    path.write_text(text)
    result = CliRunner().invoke(main, ["check", str(path)])
    assert "s3cret" not in result.output
