"""What may be asked: one model of parameters a question, read from the query string."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    field_validator,
)

from faultline.columns import TOTAL
from faultline.config import Between
from faultline.durations import Duration, format_duration, parse_duration
from faultline.problems import problems_of
from faultline_collector.outages import iso
from faultline_collector.probe_kinds import timings

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
        return round(at.astimezone(UTC).timestamp() * 1e6)
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


AXES = ("service", "component", "target", "provider", "region", "network", "family")
"""What figures can be divided by."""


def _axes(words: object) -> object:
    """Reads `service,region`."""
    if not isinstance(words, str):
        return words
    found = tuple(word.strip() for word in words.split(",") if word.strip())
    unknown = [word for word in found if word not in AXES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(AXES)}")
    return found


def _asn(words: object) -> int:
    """Reads `55836` or `AS55836`."""
    digits = str(words).upper().removeprefix("AS")
    if not digits.isdecimal() or len(digits) > 10:
        raise ValueError(f"{str(words)[:40]!r} is not the number of a network like 55836 or AS55836")
    return int(digits)


def _family(words: object) -> int:
    if str(words) not in ("0", "4", "6"):
        raise ValueError(f"{str(words)!r} is not an address family, which is 4 or 6")
    return int(str(words))


def _timing(word: str) -> str:
    if word not in timings():
        raise ValueError(f"{word!r} is not a timing; there are {', '.join(timings())}")
    return word


def _name_timings(schema: dict[str, Any]) -> None:
    schema["enum"] = timings()


By = Annotated[
    tuple[str, ...],
    BeforeValidator(_axes),
    PlainSerializer(",".join, return_type=str),
    WithJsonSchema({"type": "string"}),
]
Network = Annotated[int, BeforeValidator(_asn), WithJsonSchema({"type": "integer"})]
Timing = Annotated[str, AfterValidator(_timing), Field(json_schema_extra=_name_timings)]
Family = Annotated[int, BeforeValidator(_family), WithJsonSchema({"type": "integer", "enum": [0, 4, 6]})]


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


class ScopedQuestion(WindowQuestion):
    """A window of time, and what of the fleet is asked about."""

    service: str = Field(default="", description="only this service")
    component: str = Field(default="", description="only this component")
    target: str = Field(default="", description="only this target")
    provider: str = Field(default="", description="only what stands on this provider")
    region: str = Field(default="", description="only from this region")
    network: Network = Field(default=0, description="only from this network (ASN)")
    family: Family = Field(default=0, description="only over this address family, 4 or 6")


class HistoryQuestion(ScopedQuestion):
    """Figures by step, and by what they are divided."""

    by: By = Field(default=("service", "region"), description=f"what to divide by, of {', '.join(AXES)}")
    step: Duration | None = Field(
        default=None, description="width of a row, 1s or more; the whole window by default"
    )

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


class AvailabilityQuestion(HistoryQuestion):
    """Availability, with its coverage, its worst region and its weighted mean beside it."""


class LatencyQuestion(HistoryQuestion):
    """Percentiles of a timing over good results."""

    timing: Timing = Field(default=TOTAL, description="which timing of good results")


class ExportQuestion(ScopedQuestion):
    """Everything of a window, to be kept elsewhere."""

    agent: str = Field(default="", description="only this agent; of results")
    width: Duration = Field(default=timedelta(minutes=5), description="width of roll-ups, 5m or 1h")
    timing: Timing = Field(default=TOTAL, description="the timing of which roll-ups have percentiles")

    @field_validator("width")
    @classmethod
    def _width(cls, width: timedelta) -> timedelta:
        if width not in (timedelta(minutes=5), timedelta(hours=1)):
            raise ValueError(f"{format_duration(width)!r} is not a width of roll-ups, which is 5m or 1h")
        return width


class ResultsQuestion(ScopedQuestion):
    """Raw results, newest first."""

    agent: str = Field(default="", description="only this agent")
    limit: Annotated[int, Between(1, 10_000_000)] = Field(default=1000, description="at most so many")


Q = TypeVar("Q", bound=Question)


def read_question(model: type[Q], parameters: Mapping[str, object]) -> Q:
    """Reads parameters; raises BadQuestion with one sentence about the first problem."""
    try:
        return model.model_validate(dict(parameters))
    except ValidationError as error:
        unknown = [name for name in parameters if name not in model.model_fields]
        if unknown:
            known = ", ".join(model.model_fields)
            raise BadQuestion(f"{unknown[0]} is not a known parameter; known are {known}") from error
        raise BadQuestion(str(problems_of(error, model)[0])) from error


def known_id(parameter: str, value: str, known: Iterable[str]) -> None:
    """Refuses an id that is not known; an empty one selects all."""
    ids: list[Any] = sorted(set(known))
    if value and value not in ids:
        shown = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
        raise BadQuestion(f"{parameter}: {value!r} is not known; known are {shown or 'none yet'}")
