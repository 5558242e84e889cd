"""What InfluxDB's answers to a write mean. Pure.

https://docs.influxdata.com/influxdb/v2/write-data/troubleshoot/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum


class Kind(Enum):
    """What is to be done after an answer."""

    TAKEN = "go on"
    PARTIAL = "the good points are stored; find the others"
    MALFORMED = "nothing is stored; find the line that spoils it"
    TOO_LARGE = "send it in halves"
    LATER = "the same again, later"
    REFUSED = "the same again, when somebody has put it right"
    AWAY = "the same again, when it is back"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: why, in its words; how many points it dropped; how long it wants to be left alone."""

    kind: Kind
    why: str = ""
    dropped: int = 0
    wait_s: float | None = None

    @property
    def is_slow(self) -> bool:
        """Whether fewer lines at once may help."""
        return self.kind in (Kind.LATER, Kind.AWAY) and "time" in self.why

    @property
    def settles(self) -> bool:
        """Whether it says something of these lines, and not of the server."""
        return self.kind in (Kind.TAKEN, Kind.PARTIAL, Kind.MALFORMED, Kind.TOO_LARGE)


TAKEN = Answer(Kind.TAKEN)

_REFUSED = {
    401: "does not accept the token",
    403: "does not let the token write",
    404: "has no such organisation or bucket",
}
_LATER = {429: "is asked too much", 503: "is overloaded"}
_DROPPED = re.compile(r"dropped[= ](\d+)")
_REASONS = {
    "retention policy": "retention",
    "field type conflict": "type_conflict",
    "max-series": "series_limit",
    "unable to parse": "malformed",
}


def answer_of(status: int, message: str, headers: Mapping[str, str], now: datetime) -> Answer:
    """Reads an answer that is not 2xx."""
    why = f"({status}: {message})" if message else f"({status})"
    if status == 422:
        found = _DROPPED.search(message)
        return Answer(Kind.PARTIAL, message, int(found[1]) if found else 0)
    if status == 400:
        return Answer(Kind.MALFORMED, message)
    if status == 413:
        return Answer(Kind.TOO_LARGE, message)
    if status in _REFUSED:
        return Answer(Kind.REFUSED, f"{_REFUSED[status]} {why}")
    wait_s = retry_after_s(headers.get("Retry-After", ""), now)
    return Answer(Kind.LATER, f"{_LATER.get(status, 'fails')} {why}", wait_s=wait_s)


def reason_of(message: str) -> str:
    """The word under which a refused line is counted."""
    return next((word for part, word in _REASONS.items() if part in message), "other")


def retry_after_s(text: str, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date; None without a usable one."""
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
