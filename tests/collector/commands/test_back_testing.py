"""`faultline replay --from-store`: a stored window, told again with other settings."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from faultline.outcomes import Outcome
from faultline_collector.api.export import results_csv
from faultline_collector.commands import main
from faultline_collector.commands.asking import asking
from faultline_collector.commands.back_testing import sent
from faultline_collector.outages import Outage, State, Subject, iso
from faultline_collector.replay.told import read_fleet
from faultline_collector.replay.trace import open_trace, read_results
from faultline_collector.replay.window import Window, write_window
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores import open_store
from faultline_collector.stores.remote import Standing
from faultline_collector.stores.store import ReceivedRange, StoreError
from tests.collector.api.serving import Served
from tests.collector.api.worlds import AGENTS, MINUTE_US, NOW_US, SECOND_US, outage, results
from tests.collector.commands.conftest import Faultline

TARGETS = ("bank-web", "rail-web", "twitter-login", "twitter-web")
BEGIN_US = NOW_US - 60 * MINUTE_US
BROKEN = range(80, 95)
WINDOW = ("--since", str(iso(NOW_US - 30 * MINUTE_US)), "--until", str(iso(NOW_US - 2 * MINUTE_US)))


def hour(broken: str = "twitter") -> Iterator[ResultBatch]:
    """An hour of three agents at 30 s; Twitter fails everywhere from minute 40 on, for seven and a half."""
    for row, agent in enumerate(AGENTS):
        for column, target in enumerate(TARGETS):
            fails = [target.startswith(broken) and number in BROKEN for number in range(116)]
            outcomes = [Outcome.HTTP if bad else Outcome.OK for bad in fails]
            start_us = BEGIN_US + (7 * column + 3 * row) * SECOND_US
            first = 1 + 1000 * column
            yield results(
                *outcomes, agent=agent, target=target, first=first, start_us=start_us, apart_us=30 * SECOND_US
            )


def told(detected_s: int = 30) -> Outage:
    """What the collector said of it: late, and never ended."""
    begin_us = BEGIN_US + 40 * MINUTE_US
    return outage(
        "told",
        onset_us=begin_us,
        detected_us=begin_us + detected_s * SECOND_US,
        confirmed_us=begin_us + 100 * SECOND_US,
        state=State.CONFIRMED,
        subject=Subject("service", "twitter"),
    )


@pytest.fixture
def filled(served: Served) -> Served:
    """The hour is stored, and what was told of it is kept."""
    served.world.keep(*hour())
    served.publish(changed=[told()], open_now=[told()])
    return served


@pytest.fixture
def folder(tmp_path: Path, served: Served) -> Path:
    """A DuckDB file with the hour beside the registry of the served world, and no collector that holds it."""
    store = open_store(f"duckdb://{tmp_path / 'hour.duckdb'}")
    for batch in hour():
        ranges = [ReceivedRange(batch.sources[0], int(batch.sequence[0]), int(batch.sequence[-1]))]
        store.append(batch, ranges, served.world.fleet)
    store.close()
    return tmp_path


def from_file(folder: Path, *more: str) -> Result:
    """Replays the window of the file."""
    store = f"duckdb://{folder / 'hour.duckdb'}"
    return CliRunner().invoke(main, ["replay", "--from-store", "--store", store, *WINDOW, *more])


def changes(run: Result) -> list[tuple[str, str, str]]:
    """What became of what, and of which subject the new telling speaks."""
    assert run.exit_code == 0, run.output
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    return [
        (row["change"], *((row["after"] or row["before"])["subject"][k] for k in ("kind", "id")))
        for row in rows
    ]


def test_a_window_is_told_again_beside_what_was_told(filled: Served, faultline: Faultline) -> None:
    """Over the API: the outage that the collector told late is found earlier, and its end too."""
    run = faultline("replay", "--from-store", *WINDOW, "--json")
    (row,) = [json.loads(line) for line in run.stdout.splitlines()]
    assert (row["change"], row["before"]["id"]) == ("changed", "told")
    assert (row["after"]["scope"], row["after"]["subject"]["id"]) == ("global", "twitter")
    assert any("earlier" in words for words in row["differences"])
    assert row["after"]["resolved_at"] is not None


def test_what_would_have_changed_is_a_table(filled: Served, faultline: Faultline) -> None:
    """Tab-separated in a pipe, with the sum beside it."""
    run = faultline("replay", "--from-store", *WINDOW)
    head, line = run.stdout.splitlines()
    assert head.split("\t") == ["CHANGE", "DETECTED (UTC)", "SCOPE", "SUBJECT", "WHAT"]
    assert line.startswith("changed\t")
    assert run.stderr == "0 same, 1 changed, 0 gone, 0 new; confirmed: 1 -> 1\n"


def test_other_settings_would_have_told_nothing(filled: Served, faultline: Faultline, tmp_path: Path) -> None:
    """A hold of an hour confirms nothing of it: what was confirmed then would have been suspected only."""
    (tmp_path / "slow.yaml").write_text("hold_s: 3600\n")
    run = faultline("replay", "--from-store", *WINDOW, "--config", str(tmp_path / "slow.yaml"), "--json")
    ((_, _, subject),) = changes(run)
    assert subject == "twitter"
    assert "never confirmed" in json.loads(run.stdout)["differences"]


def test_two_settings_are_compared_over_a_window(
    filled: Served, faultline: Faultline, tmp_path: Path
) -> None:
    """Then what was told does not matter."""
    (tmp_path / "deaf.yaml").write_text("open_nats: 100\n")
    run = faultline("replay", "--from-store", *WINDOW, "--compare", str(tmp_path / "deaf.yaml"), "--json")
    assert changes(run) == [("gone", "service", "twitter")]


def test_agents_and_targets_are_as_the_collector_knows_them(served: Served, faultline: Faultline) -> None:
    """With their authorities and families: one family that is out alone is found in a stored window too."""
    known = served.world.fleet
    agents = tuple(replace(a, version="0.1.0", ca_bundle="2016") for a in known.agents)
    targets = tuple(replace(t, family=6 if t.id == "twitter-login" else 4) for t in known.targets)
    world = replace(served.world, fleet=replace(known, agents=agents, targets=targets))
    served.act(world.publish)
    with asking(served.url) as client:
        read = read_fleet(client.get("agents")["agents"], client.get("targets")["targets"])
    assert read.agents == tuple(replace(a, latitude=0.0, longitude=0.0) for a in agents)
    assert read.targets == tuple(replace(t, settings={}) for t in targets)
    world.keep(*hour(broken="twitter-login"))
    row = json.loads(faultline("replay", "--from-store", *WINDOW, "--json").stdout)
    assert (row["change"], row["after"]["subject"]["id"], row["after"]["family"]) == ("new", "twitter", 6)


def test_a_file_that_no_collector_holds_is_read_itself(folder: Path) -> None:
    """With the registry, which knows the fleet and what was told."""
    run = from_file(folder, "--registry", f"sqlite:///{folder / 'registry.db'}", "--json")
    assert changes(run) == [("new", "service", "twitter")]


def test_a_file_that_a_collector_holds_is_a_sentence(folder: Path) -> None:
    """It says who holds it and where to ask instead."""
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(folder / "hour.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        run = from_file(folder, "--registry", f"sqlite:///{folder / 'registry.db'}")
        assert holder.stdin is not None
        holder.stdin.close()
    assert run.exit_code == 2
    said = f"the file {folder / 'hour.duckdb'} is used by the running collector (pid {holder.pid}); "
    assert run.stderr == said + "ask it over its API\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--store", "duckdb:///nowhere/x"),
            "a store does not know the fleet: give --registry URL, or a TRACE",
        ),
        (("--store", "sqlite:///x", "--registry", "sqlite://"), "'sqlite:///x' is not the URL of a store"),
        (("--store", "memory://", "--registry", "nonsense"), "'nonsense' is not the URL of a registry"),
        (("--store", "memory://", "--registry", "sqlite://"), "no result is stored between "),
        (("--since", "soon"), "'soon' is not a time like 2026-01-31T12:00:00Z, nor a duration ago like 10m"),
        (("--since", "1m", "--until", "2m"), "the window is empty: --since must lie before --until"),
        (("--incident", "google-2020"), "--from-store reads a collector's window: leave out TRACE and "),
        (("--url", "http://127.0.0.1:9"), "no collector answers at http://127.0.0.1:9; start one with "),
    ],
)
def test_what_cannot_be_read_again_is_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2."""
    run = CliRunner().invoke(main, ["replay", "--from-store", *arguments])
    assert run.exit_code == 2, run.output
    assert run.stderr.startswith(said)
    assert len(run.stderr.splitlines()) == 1


def test_results_that_an_agent_sent_from_two_spools_are_all_judged(served: Served, tmp_path: Path) -> None:
    """Sequences begin anew in a new spool; a window counts its own."""
    first = results(Outcome.OK, Outcome.OK, start_us=BEGIN_US)
    second = replace(first, sources=(Source("west-1", "spool-2"),), received_us=first.received_us + 1)
    window = Window(BEGIN_US, NOW_US)
    trace = open_trace(write_window(results_csv([first, second]), served.world.fleet, window, tmp_path))
    (read,) = read_results(trace)
    assert read.sequence.tolist() == [1, 2, 3, 4]
    assert np.array_equal(read.started_us, np.repeat(first.judged_us, 2))


def test_marks_of_results_are_told_again(served: Served, tmp_path: Path) -> None:
    """What was measured while saturated, late or because it was asked for weighs in a replay as it did."""
    batches = [results(Outcome.OK, first=1 + flags, start_us=BEGIN_US, flags=flags) for flags in range(8)]
    window = Window(BEGIN_US, NOW_US)
    trace = open_trace(write_window(results_csv(batches), served.world.fleet, window, tmp_path))
    (read,) = read_results(trace)
    assert read.flags.tolist() == list(range(8))


class Remote:
    """A store on another machine that takes so many results at each look, and time that passes by looking."""

    def __init__(self, *waiting: int) -> None:
        self._waiting = list(waiting)
        self.now_s = 0.0

    def standing(self) -> Standing:
        """As it is now; the last for ever."""
        left = self._waiting.pop(0) if len(self._waiting) > 1 else self._waiting[0]
        return Standing("InfluxDB is away" if left else "", waiting_results=left)

    def note_outages(self, outages: Sequence[Outage]) -> None:
        """Takes none."""

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        self.now_s += seconds

    def wait(self) -> None:
        """Waits for all to be taken."""
        sent(self, monotonic=lambda: self.now_s, sleep=self.sleep)


def test_a_store_elsewhere_is_waited_for_until_it_has_all() -> None:
    """As long as it takes something, however slowly."""
    remote = Remote(*range(500, 0, -1), 0)
    remote.wait()
    assert remote.now_s == pytest.approx(50)


def test_a_store_elsewhere_that_takes_nothing_more_is_a_sentence() -> None:
    """After half a minute, with what it says itself."""
    with pytest.raises(StoreError, match=r"^3 results were not taken: InfluxDB is away$"):
        Remote(5, 3).wait()
