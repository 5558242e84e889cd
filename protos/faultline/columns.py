"""Names, bounds and bits of the columns in which results travel."""

import re
from enum import IntFlag

MAX_BATCH_RESULTS = 10_000
"""Most results of one batch."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Most bytes of one message on the wire."""

MAX_ID_LENGTH = 200
"""Most characters of an id."""

ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ID_WORDS = "an id: letters, digits, '.', '_' and '-', the first a letter or digit"
"""What an id is made of, and so in words."""

MAX_DETAIL_LENGTH = 500
"""Most characters of a result's sentence."""

MAX_TIMINGS = 16
"""Most named timings of one batch."""

MAX_CLOCK_ERROR_US = 24 * 3600 * 1_000_000
"""Most that a start may lie ahead of its receipt after correction of the clock, microseconds."""

NOT_REACHED = -1
"""Stands in a timing column where the phase was not reached."""

TIMING_NAME = re.compile(r"[a-z][a-z_]{0,31}")
"""What a timing may be called."""

TOTAL = "total"
"""The timing that every result has."""


class Flag(IntFlag):
    """Bits of a result."""

    SATURATED = 1
    LATE = 2
    ASKED = 4
