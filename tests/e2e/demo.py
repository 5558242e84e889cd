"""A demo or lab as a user starts it: its terminal, its API, and the commands that break things."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from faultline_collector.lab.ports import free_port
from faultline_collector.lab.processes import bound, program

OPEN = ("suspected", "confirmed", "recovering")
_POLL_S = 0.2

Verdict = tuple[str, str]
"""Scope, and the id of the subject."""

Value = TypeVar("Value")


class Demo:
    """One running `faultline demo` or `faultline lab run`."""

    def __init__(self, words: list[str], folder: Path) -> None:
        words = [*words, "--dir", str(folder), "--port", str(free_port())]
        self.folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._terminal = folder.with_name(f"{folder.name}.out")
        with self._terminal.open("wb") as out:
            self.process = psutil.Popen(
                bound([program("faultline"), *words]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started = time.monotonic()
        self.web = ""
        self._client = httpx.Client(timeout=30, trust_env=False, verify=False)

    def words(self) -> str:
        """All that it has written."""
        return self._terminal.read_text(encoding="utf-8")

    def await_ready(self, within_s: float) -> float:
        """Waits for the line `ready URL`; gives the seconds since the start."""
        line = self.until(self._ready_line, within_s, "the line `ready`")
        self.web = line.split()[1]
        return time.monotonic() - self.started

    def _ready_line(self) -> str | None:
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}:\n{self.words()}")
        return next((line for line in self.words().splitlines() if line.startswith("ready ")), None)

    def fault(self, *words: str) -> str:
        """Runs `faultline lab fault ...` as from another terminal."""
        command = [program("faultline"), "lab", "fault", *words, "--dir", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def outages(self) -> list[dict[str, Any]]:
        """All outages of the last day, newest first."""
        return list(self._get("outages")["outages"])

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        return self._get("state")

    def _get(self, what: str) -> dict[str, Any]:
        answer = self._client.get(f"{self.web}/api/v1/{what}")
        answer.raise_for_status()
        return dict(answer.json())

    def seen(self) -> frozenset[str]:
        """The ids of all outages so far; a suspicion that was taken back may come again under its id."""
        return frozenset(outage["id"] for outage in self.outages() if outage["state"] != "withdrawn")

    def since(self, before: frozenset[str]) -> list[dict[str, Any]]:
        """Outages that were not there before, but for suspicions that were taken back."""
        return [o for o in self.outages() if o["id"] not in before and o["state"] != "withdrawn"]

    def await_confirmed(self, verdict: Verdict, before: frozenset[str], within_s: float) -> dict[str, Any]:
        """Waits until a new outage of this scope and subject is confirmed."""

        def confirmed() -> dict[str, Any] | None:
            new = (o for o in self.since(before) if o["state"] == "confirmed")
            return next((o for o in new if verdict_of(o) == verdict), None)

        return self.until(confirmed, within_s, f"{verdict} confirmed", self._told)

    def await_quiet(self, within_s: float) -> None:
        """Waits until no outage is open."""
        self.until(
            lambda: not any(o["state"] in OPEN for o in self.outages()) or None,
            within_s,
            "all outages resolved",
            self._told,
        )

    def until(
        self,
        ask: Callable[[], Value | None],
        within_s: float,
        what: str,
        told: Callable[[], str] = lambda: "",
    ) -> Value:
        """Asks again and again until there is an answer."""
        deadline = time.monotonic() + within_s
        while (answer := ask()) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within_s:g} s: {what}\n{told() or self.words()}")
            time.sleep(_POLL_S)
        return answer

    def _told(self) -> str:
        return "\n".join(f"{o['state']} {verdict_of(o)} {o['why']}" for o in self.outages()[:20])

    def family(self) -> list[psutil.Process]:
        """The process and all that it started."""
        return [self.process, *self.process.children(recursive=True)]

    def end(self, number: int = signal.SIGINT, within_s: float = 30.0) -> float:
        """Sends a signal and waits for the end; gives the seconds it took."""
        began = time.monotonic()
        self._client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(within_s)
            except psutil.TimeoutExpired:
                for process in self.family():
                    process.kill()
                raise
        return time.monotonic() - began


def verdict_of(outage: dict[str, Any]) -> Verdict:
    """Scope and subject of an outage."""
    return outage["scope"], outage["subject"]["id"]


@contextmanager
def running(words: list[str], folder: Path, ready_s: float) -> Iterator[Demo]:
    """A demo or lab that is ready, ended afterwards."""
    demo = Demo(words, folder)
    try:
        demo.await_ready(ready_s)
        yield demo
    finally:
        demo.end()
