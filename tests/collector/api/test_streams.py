"""Answers without an end in sight, over a real socket: events, and results while things break."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from faultline.outcomes import Outcome
from faultline_collector.api.pool import Pool
from faultline_collector.results import ResultBatch
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import ResultQuery, StoreError
from tests.collector.api.serving import PATIENCE_S, Served, serving
from tests.collector.api.worlds import AGENTS, World, make_world, outage, results

Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves a world made with the given parts."""
    with ExitStack() as running:

        def start(**parts: Any) -> Served:
            world = make_world(tmp_path, **parts)
            running.callback(world.close)
            return running.enter_context(serving(world))

        yield start


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """Asks without a proxy, with as many connections as it takes."""
    with httpx.Client(
        timeout=PATIENCE_S, trust_env=False, limits=httpx.Limits(max_connections=None)
    ) as client:
        yield client


class Watcher:
    """A reader of events."""

    def __init__(self, running: ExitStack, http: httpx.Client, url: str) -> None:
        self.answer = running.enter_context(http.stream("GET", f"{url}/api/v1/events"))
        self._lines = self.answer.iter_lines()

    def event(self) -> dict[str, str]:
        """The next event's fields; a comment is a field without a name."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields


def open_streams(world: World) -> Callable[[], int]:
    """How many readers of events there are."""
    return lambda: len(world.board.events)


def test_a_watcher_gets_the_state_then_each_change(serve: Serve, http: httpx.Client) -> None:
    """The state at once, with its version as id; then the outage, then the state that holds it."""
    served = serve()
    served.publish()
    with ExitStack() as running:
        watcher = Watcher(running, http, served.url)
        assert watcher.answer.headers["content-type"].startswith("text/event-stream")
        first = watcher.event()
        assert first["event"] == "state"
        assert first["id"] == str(json.loads(first["data"])["version"])
        served.publish(open_now=[outage()], changed=[outage()])
        change, after = watcher.event(), watcher.event()
        assert (change["event"], json.loads(change["data"])["id"]) == ("outage", "o-1")
        assert json.loads(change["data"])["family"] is None
        assert [row["id"] for row in json.loads(after["data"])["outages"]] == ["o-1"]
        assert int(after["id"]) == int(first["id"]) + 1


def test_a_quiet_stream_carries_comments(serve: Serve, http: httpx.Client) -> None:
    """So that no proxy takes it for dead."""
    served = serve(heartbeat_s=0.01)
    with ExitStack() as running:
        watcher = Watcher(running, http, served.url)
        watcher.event()
        assert watcher.event() == {"": "heartbeat"}


def test_a_watcher_that_leaves_frees_its_place_and_beyond_all_places_it_is_503(
    serve: Serve, http: httpx.Client
) -> None:
    """With a sentence, and when to come back."""
    served = serve(most_readers=1)
    with ExitStack() as running:
        watcher = Watcher(running, http, served.url)
        watcher.event()
        refused = http.get(f"{served.url}/api/v1/events")
        assert refused.status_code == 503
        assert refused.json() == {"error": "1 readers watch already; try again in a minute"}
        assert refused.headers["retry-after"] == "5"
    served.until(lambda: open_streams(served.world)() == 0)
    with ExitStack() as running:
        watcher = Watcher(running, http, served.url)
        assert watcher.event()["event"] == "state"


def test_many_watchers_are_told_and_all_streams_end_with_the_board(serve: Serve, http: httpx.Client) -> None:
    """Each gets the same; closing ends them, so that the server can stop at once."""
    served = serve()
    with ExitStack() as running:
        crowd = [Watcher(running, http, served.url) for _ in range(20)]
        states = {watcher.event()["data"] for watcher in crowd}
        assert len(states) == 1
        served.publish(open_now=[outage()], changed=[outage()])
        assert len({watcher.event()["data"] for watcher in crowd}) == 1
        served.act(served.world.board.close)
        assert [watcher.event()["event"] for watcher in crowd] == ["state"] * 20
        assert [watcher.event() for watcher in crowd] == [{}] * 20


def test_a_watcher_that_does_not_read_is_bounded_and_delays_nobody(serve: Serve, http: httpx.Client) -> None:
    """Its socket fills up, then its queue, then it loses the oldest, counted; another is up to date."""
    served = serve()
    drops = served.world.metrics.event_drops
    with ExitStack() as running:
        slow, quick = Watcher(running, http, served.url), Watcher(running, http, served.url)
        slow.event()
        quick.event()
        why = "a long story " * 20_000
        for number in range(200):
            change = outage(f"o-{number}", why=why)
            served.publish(changed=[change], live=AGENTS[number % 2 :])
            while quick.event().get("event") != "outage":
                pass
            if served.act(lambda: drops._value.get()) > 0:
                break
        assert served.act(lambda: drops._value.get()) > 0


class BreakingStore(MemoryStore):
    """Gives one batch, then waits at a gate, then breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.left = threading.Event()

    def results(self, query: ResultQuery) -> Iterator[ResultBatch]:
        """See `Store`."""
        try:
            yield results(Outcome.OK, Outcome.HTTP)
            self.gate.wait(PATIENCE_S)
            raise StoreError("the disk is gone")
        finally:
            self.left.set()


def test_a_failure_in_the_middle_of_results_is_the_last_line(serve: Serve, http: httpx.Client) -> None:
    """So that nobody takes a part for the whole."""
    store = BreakingStore()
    served = serve(store=store)
    served.publish()
    store.gate.set()
    answer = http.get(f"{served.url}/api/v1/results")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line.get("sequence") for line in lines] == [1, 2, None]
    assert lines[-1] == {"error": "the disk is gone"}


def test_results_arrive_before_the_last_is_read(serve: Serve, http: httpx.Client) -> None:
    """They are streamed; a reader who leaves ends the reading of the store, and frees the place."""
    store = BreakingStore()
    served = serve(store=store, streams=Pool("streams", places=1))
    served.publish()
    with http.stream("GET", f"{served.url}/api/v1/results") as answer:
        lines = answer.iter_lines()
        assert json.loads(next(lines))["sequence"] == 1
        busy = http.get(f"{served.url}/api/v1/results")
        assert busy.status_code == 503
        assert "1 questions are being answered already" in busy.json()["error"]
    store.gate.set()
    assert store.left.wait(PATIENCE_S)
    served.until(lambda: served.world.history.streams.free == 1)


def test_a_question_that_takes_too_long_is_503(serve: Serve, http: httpx.Client) -> None:
    """It asks for less, instead of waiting without end."""
    store = BreakingStore()
    served = serve(store=store, streams=Pool("streams", deadline_s=0.05))
    served.publish()
    answer = http.get(f"{served.url}/api/v1/results")
    assert json.loads(answer.text.splitlines()[-1]) == {
        "error": "the answer took longer than 0.05 s; ask for less"
    }
    store.gate.set()
