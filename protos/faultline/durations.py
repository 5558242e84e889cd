"""Durations as people write them: `500ms`, `30s`, `5m`, `2h`, `7d`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_D = 36_500


def parse_duration(text: str) -> timedelta:
    """Reads `30s` and the like; raises ValueError with a sentence on anything else."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration like 500ms, 30s, 5m, 2h or 7d")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST_D * _UNITS["d"]:
        raise ValueError(f"{text[:40]!r} is longer than {_LONGEST_D}d")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Writes a duration in the largest unit that keeps it whole."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds >= size and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _read(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"{value!r} is not a duration like 500ms, 30s, 5m, 2h or 7d")


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "description": "like 30s"}),
]
"""A pydantic field that reads and writes `30s`."""
