"""`faultline notices` and `faultline mute`, on the registry alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from faultline_collector.commands import main
from faultline_collector.notify.fate import Fate, Next
from faultline_collector.notify.outbox import Outbox
from faultline_collector.registry.registry import Registry
from tests.collector.api.worlds import CONFIG
from tests.collector.notify.worlds import FLEET, NOW_US, SECOND_US, life, settings

WINDOW = {
    "services": ["bank"],
    "since": "2026-01-01T00:00:00Z",
    "until": "2056-01-01T00:00:00Z",
    "reason": "audit",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a window, whose registry no collector has used yet."""
    path = tmp_path / "collector.yaml"
    registry = f"sqlite:///{tmp_path / 'registry.db'}"
    path.write_text(yaml.safe_dump(CONFIG | {"registry": registry, "notify": {"mutes": [WINDOW]}}))
    return path


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox with one sent notice, one that failed, and two that wait."""
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    outbox = Outbox(registry.engine)
    registry.steps.append(
        lambda session, before, after: outbox.take(
            session, before, after, fleet=FLEET, settings=settings(), now_us=NOW_US
        )
    )
    for outage in life():
        registry.save_outages([outage])
    for found in (Next(Fate.SENT, None), Next(Fate.FAILED, None, "answered 400")):
        outbox.mark(outbox.due("ops", NOW_US, 1)[0], found, NOW_US + SECOND_US)
    yield outbox
    registry.close()


def run(config: Path, *arguments: str) -> Result:
    """Runs `faultline` on the configuration."""
    return CliRunner().invoke(main, [*arguments, "--config", str(config)])


def lines(result: Result) -> list[Any]:
    """JSON lines."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_notices_are_listed_with_what_became_of_them(config: Path, outbox: Outbox) -> None:
    """In a pipe one line a notice, newest first."""
    assert outbox.waiting()
    result = run(config, "notices", "--utc")
    assert result.exit_code == 0
    head, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert head[:4] == ["AT", "RECEIVER", "FATE", "KIND"]
    assert [row[1:6] for row in rows] == [
        ["web-team", "waiting", "resolved", "shop (regional)", "0"],
        ["ops", "failed", "resolved", "shop (regional)", "1"],
        ["web-team", "waiting", "confirmed", "shop (regional)", "0"],
        ["ops", "sent", "confirmed", "shop (regional)", "1"],
    ]
    assert rows[1][6].startswith("answered 400 [")


def test_notices_as_json_hold_the_whole_document(config: Path, outbox: Outbox) -> None:
    """Filtered by fate and outage."""
    assert outbox.waiting()
    (failed,) = lines(run(config, "notices", "--json", "--fate", "failed", "--outage", "o-1"))
    assert (failed["receiver"], failed["kind"], failed["tries"]) == ("ops", "resolved", 1)
    assert failed["document"]["outage"]["id"] == "o-1"
    assert failed["ended_at"] == "2026-11-22T12:00:01.000+00:00"
    assert lines(run(config, "notices", "--json", "--outage", "o-2")) == []


def test_a_window_is_added_listed_and_ended(config: Path) -> None:
    """Also without a running collector; those of the configuration are listed too."""
    added = run(
        config, "mute", "add", "--service", "twitter", "--region", "in-west", "--for", "2h", "--reason", "x"
    )
    assert (added.exit_code, added.stdout) == (0, "1\n")
    mine, own = sorted(lines(run(config, "mute", "list", "--json")), key=lambda m: m["id"] is None)
    assert (own["reason"], own["services"], own["open"]) == ("audit", ["bank"], True)
    assert (mine["services"], mine["regions"], mine["scopes"]) == (["twitter"], ["in-west"], [])
    assert mine["open"]
    assert run(config, "mute", "end", "1").exit_code == 0
    assert len(lines(run(config, "mute", "list", "--json"))) == 1
    shown = run(config, "mute", "list", "--utc").stdout.splitlines()
    assert shown[1].split("\t")[0:2] == ["config", "open"]


def test_a_window_may_be_to_come_and_without_end(config: Path) -> None:
    """Until somebody ends it."""
    assert run(config, "mute", "add", "--since", "2050-01-01T00:00:00Z", "--scope", "network").exit_code == 0
    assert run(config, "mute", "add", "--until", "2050-01-01T00:00:00Z").exit_code == 0
    later, soon = lines(run(config, "mute", "list", "--json"))[1:]
    assert (later["open"], later["until"], later["scopes"]) == (False, None, ["network"])
    assert (soon["open"], soon["until"]) == (True, "2050-01-01T00:00:00.000+00:00")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "--service", "shop"), "--service: 'shop' is not among the services"),
        (("add", "--region", "moon"), "--region: 'moon' is not among the regions"),
        (("add", "--for", "long"), "--for: 'long' is not a duration like 500ms, 30s, 5m, 2h or 7d"),
        (("add", "--for", "1h", "--until", "2050-01-01T00:00:00Z"), "--until and --for cannot both be given"),
        (("add", "--until", "2020-01-01T00:00:00Z"), "the window ends before it begins"),
        (
            ("add", "--until", "2050-01-01"),
            "--until: '2050-01-01' is not a time with its zone like 2026-11-22T20:00:00Z",
        ),
        (
            ("add", "--until", "9999-12-31T23:59:59-14:00"),
            "--until: '9999-12-31T23:59:59-14:00' is not a time with its zone like 2026-11-22T20:00:00Z",
        ),
        (
            ("add", "--since", "9999-12-31T00:00:00Z", "--for", "36500d"),
            "the window ends beyond the year 9999; without --until and --for it has no end",
        ),
        (("end", "7"), "there is no open window 7; those of the configuration are ended there"),
    ],
)
def test_what_cannot_be_muted_is_a_sentence(config: Path, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2, no traceback."""
    result = run(config, "mute", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"{said}\n")
