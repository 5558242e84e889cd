"""Regular expressions in time that is linear in the text (RE2): no pattern can hold up an agent for long."""

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2

MOST_PATTERN_BYTES = 64 * 1024
"""How large a pattern may be once compiled; what matching a text costs at most is in proportion."""

MOST_TEXT = 64 * 1024
"""How many bytes of a text are searched."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> "re2._Regexp":
    """The pattern, ready to search; ValueError with a sentence when it cannot be used."""
    import re2  # megabytes that an agent needs only when a target has a pattern

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MOST_PATTERN_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace")
        raise ValueError(f"{pattern!r} is not a regular expression: {said}") from error


def found(pattern: str, text: bytes | bytearray) -> bool:
    """Whether the pattern is found in the beginning of a text; frees the interpreter while it searches."""
    return compiled(pattern).search(text[:MOST_TEXT].decode("utf-8", "replace")) is not None
