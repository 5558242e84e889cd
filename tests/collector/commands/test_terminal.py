"""Tables as a person sees them: a real process on a terminal of 80 columns."""

import pytest

from faultline.outcomes import Outcome
from tests.collector.api.serving import Served
from tests.collector.api.worlds import outage, results
from tests.collector.commands.terminal import COLUMNS, on_terminal

SHOWN = {
    ("outages",): ["SINCE (IST)", "2027-01-15", "confirmed", "regional", "twitter", "o-1"],
    ("outages", "o-1", "--utc"): [
        "confirmed regional outage of service twitter",
        "2027-01-15T07:59:00.000+00:00",
    ],
    ("services",): ["SERVICE", "twitter", "ok everywhere"],
    ("agents",): ["AGENT", "us-1", "live", "55836"],
    ("query", "results"): ["STARTED (IST)", "twitter-web", "http", "503"],
    ("query", "availability", "--service", "twitter"): ["50.000%", "no data", "in-west"],
    ("query", "availability", "--by", "component"): ["WEIGHTED", "50.000% in-west", "1 of 2"],
    ("query", "latency", "--by", "service,network"): ["AS55836", "1.5 in-west", "P95 MS", "within 1.6% of"],
    ("query", "latency", "--step", "30m", "--service", "twitter"): ["twitter", "P50 MS", "1.5"],
}


@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_a_table_fits_eighty_columns(served: Served, command: tuple[str, ...]) -> None:
    """Drawn, with times in the local zone, and no line longer than the terminal is wide."""
    served.world.keep(results(Outcome.OK, Outcome.HTTP))
    served.publish(open_now=[outage()], changed=[outage()])
    with on_terminal(*command, url=served.url) as started:
        printed = started.text()
    assert "\t" not in printed
    for words in SHOWN[command]:
        assert words in printed
    assert max(map(len, printed.splitlines())) <= COLUMNS


def test_nothing_to_show_is_said_in_words(served: Served) -> None:
    """Instead of an empty table."""
    with on_terminal("outages", url=served.url) as started:
        assert started.text() == "No outage is open, and none has ended within a day.\n"
