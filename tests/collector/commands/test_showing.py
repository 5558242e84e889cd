"""`faultline outages|services|agents|query` against a running collector, in a pipe."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.commands import main
from faultline_collector.correlate.engine import Health
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import State
from tests.collector.api.serving import Served
from tests.collector.api.worlds import MINUTE_US, NOW_US, ended, outage, results, standings
from tests.collector.commands.conftest import Faultline
from tests.collector.commands.terminal import in_pipe

OK, HTTP, INCONCLUSIVE = Outcome.OK, Outcome.HTTP, Outcome.INCONCLUSIVE
TRACE_FORMAT = {
    "id", "scope", "subject", "target_ids", "regions", "asns", "layer", "severity", "confidence",
    "onset", "detected_at", "confirmed_at", "resolved_at", "why",
}  # fmt: skip


def lines(text: str) -> list[dict[str, Any]]:
    """JSON, one object a line."""
    return [json.loads(line) for line in text.splitlines()]


def cells(text: str) -> list[list[str]]:
    """Tab-separated lines."""
    return [line.split("\t") for line in text.splitlines()]


def test_outages_are_one_object_a_line_in_the_trace_format(served: Served, faultline: Faultline) -> None:
    """Newest first; what the trace format asks for is all there."""
    served.publish(open_now=[outage()], changed=[outage(), ended("over", NOW_US - 10 * MINUTE_US)])
    found = lines(faultline("outages", "--json").stdout)
    assert [row["id"] for row in found] == ["o-1", "over"]
    assert found[0].keys() >= TRACE_FORMAT
    assert found[0]["subject"] == {"kind": "service", "id": "twitter"}
    assert found[0]["resolved_at"] is None


def test_outages_in_a_pipe_are_tab_separated_with_full_times(served: Served, faultline: Faultline) -> None:
    """In UTC when asked, else in the local zone; the line above names the columns."""
    served.publish(open_now=[outage()], changed=[outage()])
    utc = cells(faultline("outages", "--utc").stdout)
    assert utc[0] == ["SINCE (UTC)", "STATE", "SCOPE", "SUBJECT", "WHY"]
    assert utc[1][:4] == ["2027-01-15T07:59:00.000+00:00", "confirmed", "regional", "twitter"]
    assert utc[1][4].endswith("on 1 network fail. [o-1]")
    with in_pipe("outages", url=served.url) as started:
        local = cells(started.text())
    assert local[0][0] == "SINCE (IST)"
    assert local[1][0] == "2027-01-15T13:29:00.000+05:30"


def test_outages_can_be_narrowed(served: Served, faultline: Faultline) -> None:
    """To the open ones, to a time, to a number."""
    old = ended("old", NOW_US - 3000 * MINUTE_US)
    served.world.registry.save_outages([old])
    served.publish(open_now=[outage()], changed=[outage(), ended("over", NOW_US - 10 * MINUTE_US)])
    for asked, ids in (
        (("--open",), ["o-1"]),
        (("--since", "7d"), ["o-1", "over", "old"]),
        (("--limit", "1"), ["o-1"]),
    ):
        assert [row["id"] for row in lines(faultline("outages", "--json", *asked).stdout)] == ids


@pytest.mark.parametrize("asked", [("o-1",), ("--explain", "o-1")])
def test_one_outage_is_told_with_its_reasons(
    served: Served, faultline: Faultline, asked: tuple[str, ...]
) -> None:
    """What, for whom, since when, its life, its evidence, and what it was not."""
    suspected = outage(state=State.SUSPECTED, confirmed_us=None, changed_us=NOW_US - 50_000_000)
    served.publish(open_now=[suspected], changed=[suspected])
    confirmed = outage(asns=(55836,), family=6)
    served.publish(open_now=[confirmed], changed=[confirmed])
    told = faultline("outages", "--utc", *asked).stdout.splitlines()
    assert told[:2] == ["confirmed regional outage of service twitter", outage().why]
    assert told[2:] == [
        "",
        "how             down, http; confidence 0.99",
        "family          IPv6 only",
        "seen from       in-east, in-west",
        "networks        AS55836",
        "targets         twitter-login, twitter-web",
        "",
        "began           2027-01-15T07:59:00.000+00:00",
        "  not before    2027-01-15T07:58:55.000+00:00",
        "  not after     2027-01-15T07:59:05.000+00:00",
        "suspected       2027-01-15T07:59:10.000+00:00 as regional",
        "confirmed       2027-01-15T07:59:20.000+00:00 as regional",
        "",
        "failing         agents 2, regions (in-east 1, in-west 1)",
        "rather than     provider provider edgeline, 12.5 nats behind",
    ]


def test_what_agents_gathered_is_told_at_the_end(served: Served, faultline: Faultline) -> None:
    """Of those that fail first."""
    served.publish(open_now=[outage()], changed=[outage()])
    fine = Proof("o-1", "us-1", "twitter-web", "story", False, NOW_US, {"outcome": "ok"})
    bad = Proof("o-1", "west-1", "twitter-web", "traceroute", True, NOW_US, {"hops": []})
    served.world.registry.save_proofs([fine, bad])
    told = faultline("outages", "--utc", "o-1").stdout.splitlines()
    assert told[-2:] == [
        "proof           traceroute of west-1, fails: nobody on the way answers",
        "proof           story of us-1, fine: ok",
    ]


def test_one_outage_as_json_holds_its_evidence_and_life(served: Served, faultline: Faultline) -> None:
    """For programs."""
    served.publish(open_now=[outage()], changed=[outage()])
    (story,) = lines(faultline("outages", "o-1", "--json").stdout)
    assert story["evidence"]["failing"]["agents"] == 2
    assert [step["state"] for step in story["transitions"]] == ["confirmed"]


def test_what_comes_from_far_away_cannot_steer_a_terminal(served: Served, faultline: Faultline) -> None:
    """Control characters and line breaks become spaces."""
    nasty = outage(why="a\x1b[31m\nb\tc")
    served.publish(open_now=[nasty], changed=[nasty])
    assert cells(faultline("outages").stdout)[1][4] == "a [31m b c [o-1]"


def test_services_say_where_they_fail_and_where_nothing_is_known(
    served: Served, faultline: Faultline
) -> None:
    """Unknown is neither up nor down."""
    seen = standings(in_east=Health.DOWN, in_west=Health.DOWN, us_west=Health.UNKNOWN)
    served.publish(seen=seen, open_now=[outage()], changed=[outage()])
    assert cells(faultline("services").stdout) == [
        ["SERVICE", "HEALTH", "COMPONENTS", "REGIONS"],
        ["bank", "ok", "", "ok everywhere"],
        ["rail", "ok", "", "ok everywhere"],
        ["twitter", "down", "web down, login down", "down in in-east, in-west; no data in us-west"],
    ]
    assert [row["id"] for row in lines(faultline("services", "--json").stdout)] == ["bank", "rail", "twitter"]


def test_a_service_that_is_down_everywhere_says_so(served: Served, faultline: Faultline) -> None:
    """In a word."""
    served.publish(seen=standings(in_east=Health.DOWN, in_west=Health.DOWN, us_west=Health.DOWN))
    assert cells(faultline("services").stdout)[3][3] == "down everywhere"


def test_agents_say_when_they_were_seen(served: Served, faultline: Faultline) -> None:
    """And those that never called say never."""
    served.publish(live=("us-1", "west-1"))
    rows = cells(faultline("agents", "--utc").stdout)
    assert rows[0] == ["AGENT", "REGION", "NETWORK", "STATE", "SEEN (UTC)", "SPOOL", "CONDITION"]
    assert rows[1] == ["east-1", "in-east", "55836", "never", "never", "", ""]
    assert rows[2] == ["us-1", "us-west", "7018", "live", "2027-01-15T07:59:59.000+00:00", "", ""]
    assert [row["state"] for row in lines(faultline("agents", "--json").stdout)] == ["never", "live", "live"]


def test_availability_has_its_coverage_beside_it_and_no_data_where_nothing_is_known(
    served: Served, faultline: Faultline
) -> None:
    """Never 100 % of nothing."""
    served.world.keep(results(OK, OK, OK, HTTP, INCONCLUSIVE))
    served.publish()
    rows = cells(faultline("query", "availability", "--service", "twitter", "--utc").stdout)
    since = "2027-01-15T07:00:00.000+00:00"
    assert rows == [
        ["SERVICE", "REGION", "START (UTC)", "OK", "FAILED", "UNKNOWN", "KNOWN", "AVAILABLE"],
        ["twitter", "in-east", since, "0", "0", "0", "0%", "no data"],
        ["twitter", "in-west", since, "3", "1", "1", "2%", "75.000%"],
        ["twitter", "us-west", since, "0", "0", "0", "0%", "no data"],
    ]


def test_availability_comes_in_steps_and_as_json(served: Served, faultline: Faultline) -> None:
    """The same rows as the API has."""
    served.publish()
    asked = ("--since", "1h", "--step", "30m", "--service", "bank", "--region", "us-west", "--json")
    rows = lines(faultline("query", "availability", *asked).stdout)
    assert [(row["start"][11:16], row["availability"]) for row in rows] == [("07:00", None), ("07:30", None)]


def test_rows_of_several_regions_show_the_worst_and_the_weighted(
    served: Served, faultline: Faultline
) -> None:
    """Beside the mean; a network and a family are written as people know them."""
    served.world.keep(results(OK, HTTP), results(OK, OK, agent="us-1"))
    served.publish()
    asked = ("--service", "twitter", "--by", "network,family", "--utc")
    rows = cells(faultline("query", "availability", *asked).stdout)
    assert rows[0][:3] == ["NETWORK", "FAMILY", "START (UTC)"]
    assert [(*row[:2], *row[-3:]) for row in rows[1:]] == [
        ("AS7018", "IPv4", "100.000%", "100.000%", "100.000% us-west"),
        ("AS55836", "IPv4", "50.000%", "50.000%", "50.000% in-west"),
    ]


def test_latency_has_percentiles_and_no_data_where_there_is_none(
    served: Served, faultline: Faultline
) -> None:
    """Of good results only; in JSON with the worst region."""
    served.world.keep(results(OK, OK, HTTP))
    served.publish()
    rows = cells(faultline("query", "latency", "--service", "twitter", "--utc").stdout)
    assert rows[0] == ["SERVICE", "REGION", "START (UTC)", "GOOD", "KNOWN", "P50 MS", "P95 MS", "P99 MS"]
    assert [row[3:] for row in rows[1:]] == [
        ["0", "0%", "no data", "no data", "no data"],
        ["2", "2%", "1.5", "1.5", "1.5"],
        ["0", "0%", "no data", "no data", "no data"],
    ]
    (row,) = lines(faultline("query", "latency", "--service", "twitter", "--by", "service", "--json").stdout)
    assert (row["count"], row["worst_region"], row["region"]) == (2, "in-west", None)


def test_results_come_as_lines_json_or_csv(served: Served, faultline: Faultline) -> None:
    """Newest first, at most as many as asked."""
    served.world.keep(results(OK, HTTP))
    served.publish()
    plain = cells(faultline("query", "results", "--utc").stdout)
    assert plain[0] == ["STARTED (UTC)", "AGENT", "TARGET", "OUTCOME", "MS", "STATUS", "DETAIL"]
    assert plain[1] == [
        "2027-01-15T07:30:10.000+00:00", "west-1", "twitter-web",
        "http", "1.5", "503", "status 503 is not 200",
    ]  # fmt: skip
    one = lines(faultline("query", "results", "--json", "--limit", "1", "--target", "twitter-web").stdout)
    assert [row["sequence"] for row in one] == [2]
    table = list(csv.DictReader(faultline("query", "results", "--csv").stdout.splitlines()))
    assert [(row["sequence"], row["total_ms"], row["tls_ms"]) for row in table] == [
        ("2", "1.5", ""),
        ("1", "1.5", ""),
    ]


def test_timings_that_a_kind_brings_are_in_the_csv_too(served: Served, faultline: Faultline) -> None:
    """In a column of their own, by name."""
    batch = results(OK, flags=Flag.SATURATED)
    batch.timings_us["banner"] = batch.timings_us["total"]  # type: ignore[index]
    served.world.keep(batch)
    served.publish()
    (row,) = csv.DictReader(faultline("query", "results", "--csv").stdout.splitlines())
    assert (row["more_timings_ms"], row["saturated"]) == ("banner=1.5", "True")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("query", "results", "--target", "x"), "target: 'x' is not known; known are bank-web, rail-web"),
        (("query", "availability", "--step", "1"), "step: '1' is not a duration like 500ms, 30s, 5m"),
        (("query", "latency", "--by", "colour"), "by: 'colour' is not one of service, component, target"),
        (("query", "latency", "--provider", "x"), "provider: 'x' is not known; known are edgeline"),
        (("query", "latency", "--timing", "x"), "timing: 'x' is not a timing; there are dns, connect"),
        (("outages", "nope"), "there is no outage 'nope'"),
        (("outages", "--since", "x"), "since: 'x' is not a time like 2026-01-31T12:00:00Z"),
    ],
)
def test_what_the_collector_refuses_is_said_in_its_own_sentence(
    served: Served, faultline: Faultline, asked: tuple[str, ...], said: str
) -> None:
    """Exit code 2, nothing on standard output."""
    served.publish()
    run = faultline(*asked)
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr.startswith(said)


def test_json_and_csv_exclude_each_other(faultline: Faultline) -> None:
    """A question of usage."""
    run = faultline("query", "results", "--json", "--csv")
    assert run.exit_code == 2
    assert "--json and --csv exclude each other" in run.stderr


COMMANDS = [
    ("outages",),
    ("outages", "--watch"),
    ("services",),
    ("agents",),
    ("query", "results"),
    ("query", "availability"),
    ("query", "latency"),
    ("export", "results", "-o", "x.csv"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_collector_a_command_says_how_to_start_one(command: tuple[str, ...]) -> None:
    """One sentence, exit code 2."""
    run = CliRunner().invoke(main, [*command, "--url", "http://127.0.0.1:1"])
    assert run.exit_code == 2
    assert run.stderr == (
        "no collector answers at http://127.0.0.1:1; start one with `faultline collector run`\n"
    )


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1/", "http://127.0.0.1:port/"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    """One sentence, exit code 2."""
    run = CliRunner().invoke(main, ["services", "--url", url])
    assert run.exit_code == 2
    assert run.stderr == f"{url!r} is not a URL like http://127.0.0.1:8080\n"


def test_something_else_that_answers_is_told(served: Served, tmp_path: Path) -> None:
    """A web server that is no collector, or an old one."""
    run = CliRunner().invoke(main, ["services", "--url", f"{served.url}/elsewhere"])
    assert run.exit_code == 2
    assert run.stderr == "there is nothing at /elsewhere/api/v1/services\n"
