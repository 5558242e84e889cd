"""The two clocks that the agent goes by."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Clocks:
    """The wall's time for what is told, and an axis that never steps for what is planned and measured."""

    began_s: float = field(default_factory=lambda: time.time() - time.monotonic())

    def axis_s(self) -> float:
        """Seconds; began as seconds since 1970, so that a restarted agent keeps its rhythm."""
        return self.began_s + time.monotonic()

    def wall_us(self) -> int:
        """Microseconds since 1970, as the machine now believes."""
        return time.time_ns() // 1000
