"""Lines that InfluxDB refuses for good: counted by reason, and kept for somebody to look at."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import structlog

_log = structlog.get_logger("store")

MOST_BYTES = 8 * 1024 * 1024
"""The file is then renamed, in place of the one renamed before: twice as much is kept."""


class DeadLetters:
    """JSON lines in `path`, bounded; `counts` is of this process. Safe for threads."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most = most_bytes
        self._lock = Lock()
        self._counts: Counter[str] = Counter()

    def counts(self) -> dict[str, int]:
        """Refused lines by reason."""
        with self._lock:
            return dict(self._counts)

    def add(self, reason: str, why: str, number: int, lines: Sequence[bytes] = ()) -> None:
        """Counts `number` lines and keeps those that are known."""
        with self._lock:
            if reason not in self._counts:
                _log.error("InfluxDB refuses points, kept as dead letters", reason=reason, why=why)
            self._counts[reason] += number
            with suppress(OSError):
                self._write(reason, why, lines)

    def _write(self, reason: str, why: str, lines: Sequence[bytes]) -> None:
        if self._path.exists() and self._path.stat().st_size > self._most:
            self._path.replace(self._path.with_suffix(".old"))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._path.open("a", encoding="utf-8") as file:
            for line in lines:
                text = line.decode("utf-8", "replace").rstrip("\n")
                file.write(json.dumps({"at": at, "reason": reason, "why": why, "line": text}) + "\n")
