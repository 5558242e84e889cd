"""`faultline outages --watch`, in a pipe and on a terminal, across a restart of the collector."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultline_collector.api.client import Change, Client, Unanswered
from faultline_collector.commands.watching import News, follow
from faultline_collector.outages import State
from tests.collector.api.serving import PATIENCE_S, Served, serving
from tests.collector.api.worlds import NOW_US, make_world, outage
from tests.collector.commands.terminal import in_pipe, on_terminal


def test_changes_are_printed_as_they_happen_and_once_each(served: Served) -> None:
    """What is there at first, then each change; Ctrl-C ends it well."""
    served.publish(open_now=[outage()], changed=[outage()])
    with in_pipe("outages", "--watch", "--json", url=served.url) as started:
        assert '"state": "confirmed"' in started.until("\n")
        over = outage().with_state(State.RESOLVED, NOW_US)
        served.publish(changed=[over])
        assert json.loads(started.until("\n"))["state"] == "resolved"
        started.process.send_signal(signal.SIGINT)
        assert started.text() == ""
        assert started.process.wait(PATIENCE_S) == 0


def test_a_watcher_ends_with_its_reader(served: Served) -> None:
    """As in `faultline outages --watch | head -1`, though there is nothing more to say."""
    served.publish(open_now=[outage()], changed=[outage()])
    with in_pipe("outages", "--watch", url=served.url) as started:
        started.until("\n")
        started.output.close()
        assert started.process.wait(PATIENCE_S) == 1


def test_lines_for_people_in_a_pipe(served: Served) -> None:
    """Tab-separated, one a change."""
    served.publish(open_now=[outage()], changed=[outage()])
    with in_pipe("outages", "--watch", "--utc", url=served.url) as started:
        line = started.until("\n").split("\t")
    assert line[:4] == ["2027-01-15T07:59:00.000+00:00", "confirmed", "regional", "twitter"]


def test_a_terminal_shows_a_table_that_changes(served: Served) -> None:
    """In place; and says so when nothing is out."""
    served.publish()
    with on_terminal("outages", "--watch", url=served.url) as started:
        started.until("No outage is open")
        served.publish(open_now=[outage()], changed=[outage()])
        started.until("confirmed")
        served.publish(changed=[outage().with_state(State.RESOLVED, NOW_US)])
        started.until("resolved")


def test_a_watcher_outlives_its_collector(tmp_path: Path) -> None:
    """It says that it lost it, connects again, and tells only what is new."""
    world = make_world(tmp_path)
    with serving(world) as first:
        first.publish(open_now=[outage()], changed=[outage()])
        address = first.url.removeprefix("http://")
        running = in_pipe("outages", "--watch", "--json", url=first.url)
        started = running.__enter__()
        started.until("\n")
    world.close()
    try:
        assert "lost the collector at" in started.until("trying again")
        (tmp_path / "again").mkdir()
        world = make_world(tmp_path / "again")
        newer = outage("o-2", detected_us=NOW_US)
        world.publish(open_now=[outage(), newer], changed=[newer])
        with serving(world, address):
            told = started.until("}\n")
        world.close()
        assert [json.loads(line)["id"] for line in told.splitlines() if line.startswith("{")] == ["o-2"]
    finally:
        running.__exit__(None, None, None)


def change(name: str, *outages: dict[str, str]) -> Change:
    """An event of the stream."""
    return Change(name, {"outages": list(outages)} if name == "state" else dict(outages[0]))


def test_news_is_told_once() -> None:
    """Whether it comes by itself or within a state; oldest first; what is gone is forgotten."""
    news, old, new = News(), {"id": "a", "state": "x"}, {"id": "b", "state": "x"}
    assert news.of(change("state", new, old)) == [old, new]
    assert news.of(change("state", new, old)) == []
    moved = {"id": "b", "state": "y"}
    assert news.of(change("outage", moved)) == [moved]
    assert news.of(change("state", moved, old)) == []
    assert news.of(change("state", moved)) == []
    assert news.of(change("state", moved, old)) == [old]


class Flaky(Client):
    """Answers as it is told, try by try."""

    def __init__(self, *tries: list[Change] | Unanswered) -> None:
        super().__init__("http://127.0.0.1:1")
        self._tries = iter(tries)

    def changes(self) -> Iterator[Change]:
        """See `Client`."""
        found = next(self._tries)
        if isinstance(found, Unanswered):
            raise found
        yield from found


def test_following_backs_off_and_starts_anew_after_each_answer() -> None:
    """Delays grow with failures in a row; a refusal that is permanent ends it."""
    quiet = change("state")
    away, refused = Unanswered("away"), Unanswered("refused", permanent=True)
    waits: list[float] = []
    with Flaky([quiet], away, away, away, [quiet], refused) as client:
        following = follow(client, waits.append)
        assert [next(following), next(following)] == [quiet, quiet]
        with pytest.raises(Unanswered, match="refused"):
            next(following)
    assert len(waits) == 5
    assert waits[3] > waits[4]


def test_a_collector_that_never_answered_is_not_waited_for() -> None:
    """The sentence says how to start one."""
    with Flaky(Unanswered("away")) as client, pytest.raises(Unanswered, match="away"):
        next(follow(client))
