"""Sizes as people write them: `64KiB`, `256MiB`, `2GiB`."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {
    "": 1,
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_FORM = re.compile(r"(\d+)\s*([A-Za-z]*)")


def parse_size(value: object) -> int:
    """Reads a number of bytes or `256MiB`; raises ValueError with a sentence on anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{value!r} is not a size like 256MiB")
    return int(match[1]) * _UNITS[match[2]]


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": ["integer", "string"], "description": "like 256MiB"}),
]
"""A pydantic field that reads `256MiB` as bytes."""
