"""The story that the demo tells, against an API that says at once what is broken."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from faultline_collector.lab.faults import Fault
from faultline_collector.lab.stage import Stage
from faultline_collector.lab.story import Pace, tell_story
from faultline_collector.outages import Scope


class Oracle:
    """Says of each fault: confirmed while it is there, then recovering once, then resolved."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reads: dict[str, int] = {}
        self._known: dict[str, Fault] = {}

    def outages(self) -> list[dict[str, object]]:
        """All that ever were."""
        current = {str(fault): fault for fault in self._stage.faults}
        for said, fault in current.items():
            self._reads[said] = 0
            self._known[said] = fault
        return [self._tell(said, said in current) for said in self._known]

    def _tell(self, said: str, broken: bool) -> dict[str, object]:
        fault = self._known[said]
        self._reads[said] += 1
        state = "confirmed" if broken else "recovering" if self._reads[said] < 3 else "resolved"
        subject = fault.subject or ("collector" if fault.scope is Scope.COLLECTOR else "")
        return {
            "id": said,
            "state": state,
            "scope": fault.scope.value,
            "subject": {"id": subject},
            "why": "the oracle says so",
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of HTTP/1.1."""
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                body = json.dumps({"outages": self.outages()}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def web(stage: Stage) -> AsyncIterator[str]:
    """Where the oracle answers."""
    oracle = Oracle(stage)
    server = await asyncio.start_server(oracle.serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_story_tells_every_chapter_and_what_is_said_of_it(stage: Stage, web: str) -> None:
    """Each fault is confirmed before the next; clearing waits until all is resolved; nothing stays broken."""
    lines: list[str] = []
    await tell_story(stage, web, lines.append, Pace(patience_s=20, linger_s=0))
    text = "\n".join(lines)
    order = ["regional twitter", "global twitter", "network 55836", "provider aws", "agent ", "collector"]
    confirmed = [line for line in lines if "confirmed" in line]
    assert [scope for scope, line in zip(order, confirmed, strict=True) if scope in line] == order
    assert [line.count("resolved") for line in lines].count(1) == 6
    assert "has not said more" not in text
    assert not stage.faults


async def test_story_goes_on_when_nothing_is_said(stage: Stage) -> None:
    """An API that does not answer makes it say so, chapter by chapter."""
    lines: list[str] = []
    await tell_story(stage, "http://127.0.0.1:9", lines.append, Pace(patience_s=0.05, linger_s=0))
    assert "\n".join(lines).count("Faultline has not said more; going on") == 11
