"""How another terminal speaks to a running lab: one JSON object a line, over loopback."""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultline_collector.lab.faults import BadFault, Failure, Fault
from faultline_collector.outages import Scope

FOLDERS = (Path("build/demo"), Path("build/lab"))
"""Where a lab may be found that is not named."""

_NOTE = "lab.json"
_DEADLINE_S = 10.0
_MOST_BYTES = 65_536


class NoLab(Exception):
    """Raised when there is no lab to speak to."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a running lab leaves in its folder, so that others find it."""

    pid: int
    control: int
    web: str

    def write(self, folder: Path) -> None:
        """Leaves the note."""
        text = json.dumps({"pid": self.pid, "control": self.control, "web": self.web})
        (folder / _NOTE).write_text(text + "\n", encoding="utf-8")


def read_note(folder: Path | None) -> Note:
    """Reads the note of the lab in `folder`, or in one of FOLDERS."""
    for place in [folder] if folder is not None else FOLDERS:
        try:
            data = json.loads((place / _NOTE).read_text(encoding="utf-8"))
            return Note(int(data["pid"]), int(data["control"]), str(data["web"]))
        except (OSError, ValueError, KeyError):
            continue
    where = folder if folder is not None else " or ".join(map(str, FOLDERS))
    raise NoLab(f"no lab is running in {where}; start one with `faultline demo` or `faultline lab run`")


def remove_note(folder: Path) -> None:
    """Takes the note away; safe twice."""
    (folder / _NOTE).unlink(missing_ok=True)


def ask(folder: Path | None, request: Mapping[str, Any]) -> dict[str, Any]:
    """Sends one request to the lab and gives its answer; BadFault carries what it did not accept."""
    note = read_note(folder)
    try:
        with socket.create_connection(("127.0.0.1", note.control), timeout=_DEADLINE_S) as line:
            line.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(line.makefile("rb").readline(_MOST_BYTES))
    except (OSError, ValueError) as error:
        raise NoLab(f"the lab on port {note.control} does not answer: {error}") from error
    if "error" in answer:
        raise BadFault(answer["error"])
    return dict(answer)


def fault_data(fault: Fault) -> dict[str, Any]:
    """A fault as it travels."""
    return {
        "scope": fault.scope.value,
        "subject": fault.subject,
        "failure": fault.failure.value if fault.failure else None,
        "regions": list(fault.regions),
        "component": fault.component,
        "isolated": fault.isolated,
    }


def read_fault(data: Mapping[str, Any]) -> Fault:
    """The fault of `fault_data`."""
    failure = data.get("failure")
    return Fault(
        Scope(data["scope"]),
        str(data.get("subject", "")),
        Failure(failure) if failure else None,
        tuple(data.get("regions", ())),
        str(data.get("component", "")),
        bool(data.get("isolated", False)),
    )


Answer = Callable[[Mapping[str, Any]], dict[str, Any]]


class Control:
    """Listens for requests; `answer` gives what is sent back, or raises BadFault."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Begins to listen; gives the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MOST_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stops listening; safe twice."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                line = await reader.readline()
                writer.write(json.dumps(self._say(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    def _say(self, line: bytes) -> dict[str, Any]:
        try:
            return self._answer(json.loads(line))
        except (BadFault, ValueError, KeyError, TypeError) as error:
            return {"error": str(error)}
