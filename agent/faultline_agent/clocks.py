"""The two clocks that the agent goes by."""

import time
from typing import Protocol


class Clocks(Protocol):
    """The wall's time for what is told, and an axis that never steps for what is planned and measured."""

    def axis_s(self) -> float:
        """Seconds that only go forward."""

    def wall_us(self) -> int:
        """Microseconds since 1970, as the machine now believes."""


class SystemClocks:
    """The machine's clocks; the axis begins at the wall's time, so a restarted agent keeps its rhythm."""

    def __init__(self) -> None:
        self._began_s = time.time() - time.monotonic()

    def axis_s(self) -> float:
        """Seconds that only go forward."""
        return self._began_s + time.monotonic()

    def wall_us(self) -> int:
        """Microseconds since 1970, as the machine now believes."""
        return time.time_ns() // 1000
