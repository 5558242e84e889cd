"""What may be asked: one model of parameters a question, read from the query string."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from faultline.config import Between, sentence
from faultline.durations import Duration, format_duration, parse_duration
from faultline_collector.outages import iso

_SPACED_ZONE = re.compile(r" (\d\d:?\d\d)$")


class BadQuestion(Exception):
    """Raised when a parameter cannot be used, with a sentence that says what is allowed."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time that was written as ISO 8601, or as a duration before now."""

    at_us: int = 0
    ago: timedelta | None = None

    def us(self, now_us: int) -> int:
        """Microseconds since 1970."""
        return self.at_us if self.ago is None else now_us - round(self.ago.total_seconds() * 1e6)

    def __str__(self) -> str:
        if self.ago is None:
            return str(iso(self.at_us))
        return format_duration(self.ago) if self.ago else "now"


def parse_moment(text: object) -> Moment:
    """Reads `2026-01-31T12:00:00Z`, `10m` (ago) or `now`; raises ValueError with a sentence."""
    if isinstance(text, Moment):
        return text
    words = str(text).strip()
    if words == "now":
        return Moment(ago=timedelta())
    try:
        return Moment(ago=parse_duration(words))
    except ValueError:
        return Moment(at_us=_iso_us(words))


def _iso_us(words: str) -> int:
    try:
        # A "+" that was not escaped in a query string arrives as a space.
        at = datetime.fromisoformat(_SPACED_ZONE.sub(r"+\1", words))
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return round(at.timestamp() * 1e6)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{words!r} is not a time like 2026-01-31T12:00:00Z, nor a duration ago like 10m"
        ) from None


When = Annotated[
    Moment,
    BeforeValidator(parse_moment),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "description": "ISO 8601, or a duration before now like 10m"}),
]


class Question(BaseModel):
    """Base of all questions: unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OutagesQuestion(Question):
    """Which outages."""

    open: bool = Field(default=False, description="only those that are open")
    since: When | None = Field(default=None, description="without those that ended before this")
    limit: Annotated[int, Between(1, 10_000)] = Field(default=100, description="at most so many")


class WindowQuestion(Question):
    """A window of time: `since` inclusive, `until` exclusive."""

    since: When = Field(default=Moment(ago=timedelta(hours=1)), description="begin; an hour ago by default")
    until: When = Field(default=Moment(ago=timedelta()), description="end; now by default")

    def window(self, now_us: int) -> tuple[int, int]:
        """The window in microseconds since 1970; raises BadQuestion when it is empty."""
        since_us, until_us = self.since.us(now_us), self.until.us(now_us)
        if since_us >= until_us:
            raise BadQuestion("since: the window is empty, since must lie before until")
        return since_us, until_us


class AvailabilityQuestion(WindowQuestion):
    """Availability by service and region."""

    step: Duration | None = Field(
        default=None, description="width of a row, 1s or more; the whole window by default"
    )
    service: str = Field(default="", description="only this service")
    region: str = Field(default="", description="only this region")

    def window(self, now_us: int) -> tuple[int, int]:
        """As of the base; a begin that is relative to now is moved back to a whole step."""
        since_us, until_us = WindowQuestion.window(self, now_us)
        if self.step is None or self.since.ago is None:
            return since_us, until_us
        return since_us - since_us % self.step_us(0), until_us

    def step_us(self, window_us: int) -> int:
        """The width of a row in microseconds; raises BadQuestion when it is too narrow."""
        if self.step is None:
            return window_us
        if self.step < timedelta(seconds=1):
            raise BadQuestion(f"step: {format_duration(self.step)} is shorter than 1s, the least allowed")
        return round(self.step.total_seconds() * 1e6)


class ResultsQuestion(WindowQuestion):
    """Raw results, newest first."""

    target: str = Field(default="", description="only this target")
    agent: str = Field(default="", description="only this agent")
    service: str = Field(default="", description="only this service")
    limit: Annotated[int, Between(1, 10_000_000)] = Field(default=1000, description="at most so many")


Q = TypeVar("Q", bound=Question)


def read_question(model: type[Q], parameters: Mapping[str, object]) -> Q:
    """Reads parameters; raises BadQuestion with one sentence about the first problem."""
    try:
        return model.model_validate(dict(parameters))
    except ValidationError as error:
        raise BadQuestion(_sentence(error.errors(include_url=False)[0], model.model_fields)) from error


def _sentence(error: ErrorDetails, known: Iterable[str]) -> str:
    if error["type"] == "extra_forbidden":
        return f"{error['loc'][0]} is not a known parameter; known are {', '.join(known)}"
    return sentence(error)


def known_id(parameter: str, value: str, known: Iterable[str]) -> None:
    """Refuses an id that is not known; an empty one selects all."""
    ids: list[Any] = sorted(set(known))
    if value and value not in ids:
        shown = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
        raise BadQuestion(f"{parameter}: {value!r} is not known; known are {shown or 'none yet'}")
