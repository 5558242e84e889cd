"""How a command's client understands what answers, and what does not."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faultline_collector.api.client import Client, Unanswered
from tests.collector.api.serving import PATIENCE_S, Served, serving
from tests.collector.api.worlds import NOW_US, SECOND_US, make_world, outage


@pytest.fixture
def saying() -> Iterator[tuple[str, list[bytes]]]:
    """A server that says what is in the list, once, whatever it is asked."""
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as peer:
                peer.settimeout(PATIENCE_S)
                peer.recv(65536)
                peer.sendall(b"".join(said))

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", said
        thread.join(PATIENCE_S)


def test_changes_are_followed_until_the_stream_ends(served: Served) -> None:
    """Events by name with their content; beats are passed over."""
    served.publish()
    with Client(served.url) as client:
        changes = client.changes()
        assert next(changes).name == "state"
        served.publish(at_us=NOW_US + 6 * SECOND_US)
        served.publish(open_now=[outage()], changed=[outage()])
        change = next(changes)
        assert (change.name, change.data["id"]) == ("outage", "o-1")
        served.act(served.world.board.close)
        assert [rest.name for rest in changes] == ["state"]


def test_a_collector_that_is_busy_may_be_asked_again(tmp_path: Path) -> None:
    """A refusal with 503 is not permanent; one with 404 is."""
    world = make_world(tmp_path, most_readers=0)
    with serving(world) as served, Client(served.url) as client:
        with pytest.raises(Unanswered, match="0 readers watch already") as busy:
            next(client.changes())
        with pytest.raises(Unanswered, match="there is no outage") as gone:
            client.get("outages/nope")
    world.close()
    assert (busy.value.permanent, gone.value.permanent) == (False, True)


def test_an_answer_that_is_not_json_is_told(saying: tuple[str, list[bytes]]) -> None:
    """Another program may listen there."""
    url, said = saying
    said.append(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    with Client(url) as client, pytest.raises(Unanswered, match=f"what answers at {url} is not understood"):
        client.get("state")


def test_a_refusal_that_is_not_a_collectors_is_told(saying: tuple[str, list[bytes]]) -> None:
    """With its status."""
    url, said = saying
    said.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
    with Client(url) as client, pytest.raises(Unanswered, match=r"is not a collector \(HTTP 403\)"):
        client.get("state")


def test_an_answer_that_breaks_off_is_told(saying: tuple[str, list[bytes]]) -> None:
    """A part is not taken for the whole."""
    url, said = saying
    said.append(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    with Client(url) as client, pytest.raises(Unanswered, match="is not understood"):
        client.get("state")


def test_an_error_in_the_middle_of_lines_is_raised(saying: tuple[str, list[bytes]]) -> None:
    """After the lines before it."""
    url, said = saying
    body = b'{"a": 1}\n{"error": "the disk is gone"}\n'
    said.append(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
    with Client(url) as client:
        lines = client.lines("results")
        assert next(lines) == {"a": 1}
        with pytest.raises(Unanswered, match="the disk is gone"):
            next(lines)


def test_silence_ends_at_the_deadline() -> None:
    """With a sentence."""
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        Client(f"http://127.0.0.1:{mute.getsockname()[1]}", httpx.Timeout(0.05)) as client,
        pytest.raises(Unanswered, match="did not answer in time"),
    ):
        client.get("state")
