"""The eight real incidents: scope, components, regions and times come out, and the story can be told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from faultline_collector.commands import main
from faultline_collector.fleet import Fleet
from faultline_collector.incidents import incident_names
from faultline_collector.incidents.incident import Incident, read_incident
from faultline_collector.incidents.story import components_of, is_own_trouble
from faultline_collector.outages import Outage
from faultline_collector.replay.replay import replay
from faultline_collector.replay.trace import open_trace
from faultline_collector.worlds.making import make_world
from faultline_collector.worlds.scenario import Moment, Truth
from faultline_collector.worlds.writing import write_trace

NAMES = (
    "cloudflare-2022",
    "facebook-2021",
    "fastly-2021",
    "google-2020",
    "letsencrypt-2021",
    "rogers-2022",
    "turkey-2023",
    "twitter-2022",
)


QUICK = {"fastly-2021", "google-2020"}
"""Those that `make test` has time for; the others are replayed by `make soak`."""


CASES = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.soak]) for name in NAMES]


@dataclass(frozen=True)
class Told:
    """An incident, and all that was told of it."""

    incident: Incident
    fleet: Fleet
    outages: Sequence[Outage]

    def of(self, truth: Truth) -> list[Outage]:
        """Confirmed outages with the scope and the subject of a truth that began when it did."""
        return [
            outage
            for outage in self.outages
            if outage.confirmed_us is not None
            and outage.scope is truth.scope
            and (outage.subject.kind, outage.subject.id) == (truth.subject.kind, truth.subject.id)
            and within(outage.onset_us, truth.began)
        ]


@cache
def told(name: str) -> Told:
    """An incident replayed, once for all tests."""
    incident = read_incident(name)
    with TemporaryDirectory() as place:
        trace = open_trace(write_trace(make_world(incident), Path(place) / name))
        return Told(incident, trace.fleet, replay(trace))


def within(at_us: int | None, window: tuple[Moment, Moment]) -> bool:
    """Whether something was in a window of time."""
    return at_us is not None and window[0].timestamp() <= at_us / 1e6 <= window[1].timestamp()


def test_the_eight_incidents_are_there() -> None:
    """Each with its sources, and with what should be told of it."""
    assert incident_names() == NAMES
    for name in NAMES:
        incident = read_incident(name)
        assert incident.sources
        assert incident.truth
        assert incident.start < incident.timeline[0][0] < incident.timeline[-1][0] < incident.end


@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_an_incident_comes_out(name: str) -> None:
    """One outage for each thing that broke: its scope, subject, components, regions, networks and times."""
    found = told(name)
    for truth in found.incident.truth:
        (outage,) = found.of(truth)
        assert set(truth.components) <= components_of(outage, found.fleet)
        assert regions_fit(truth, outage, found.fleet), outage.regions
        assert set(truth.asns) <= set(outage.asns) or not truth.asns
        assert within(outage.resolved_us, truth.ended), outage.resolved_us


def regions_fit(truth: Truth, outage: Outage, fleet: Fleet) -> bool:
    """Whether most of the regions are right; where the truth names none, it is everywhere or a cohort."""
    if truth.subject.kind == "cohort":
        return True
    wanted = set(truth.regions) or {region.id for region in fleet.regions}
    return len(wanted & set(outage.regions)) / len(wanted | set(outage.regions)) >= 0.8


@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_nothing_else_is_told(name: str) -> None:
    """Apart from single agents in trouble of their own, no other outage is ever confirmed."""
    found = told(name)
    right = {outage.id for truth in found.incident.truth for outage in found.of(truth)}
    others = [o for o in found.outages if o.id not in right and not is_own_trouble(o)]
    assert [(o.scope.value, o.subject.id, o.why) for o in others] == []


@pytest.mark.timeout(300)
def test_an_incident_is_told_as_a_story() -> None:
    """Times in UTC and in a place's own zone, what happened beside what Faultline says."""
    run = CliRunner().invoke(main, ["replay", "--incident", "google-2020", "--no-progress"])
    assert run.exit_code == 0, run.output
    head, *lines = [line.split("\t") for line in run.stdout.splitlines()]
    assert head == ["UTC", "TOKYO", "WHO", "WHAT"]
    assert ["11:46:00", "20:46:00", "the world", "Lookups of accounts fail."] in lines
    assert any(line[2] == "Faultline" and "google-accounts" in line[3] for line in lines)
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)


@pytest.mark.timeout(300)
def test_an_incident_as_json_is_the_outages() -> None:
    """As `replay` prints those of a trace."""
    run = CliRunner().invoke(main, ["replay", "--incident", "google-2020", "--json", "--no-progress"])
    assert run.exit_code == 0, run.output
    subjects = {json.loads(line)["subject"]["id"] for line in run.stdout.splitlines()}
    assert "google-accounts" in subjects


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--incident", "titanic-1912"), "'titanic-1912' is not an incident; there are cloudflare-2022, "),
        ((), "either a TRACE or --incident NAME must be given"),
        (("folder", "--incident", "google-2020"), "either a TRACE or --incident NAME must be given"),
    ],
)
def test_what_cannot_be_replayed_is_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2."""
    run = CliRunner().invoke(main, ["replay", *arguments])
    assert run.exit_code == 2
    assert run.stderr.startswith(said)
