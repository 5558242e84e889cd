"""How long to wait before the next try."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with jitter (Brooker 2015, AWS blog); returns delays, never sleeps."""

    first_s: float = 0.5
    most_s: float = 60.0
    factor: float = 2.0

    def delay_s(self, failures: int, random: Random) -> float:
        """Seconds to wait after `failures` (1 or more) in a row: between half and all of the step."""
        step = min(self.most_s, self.first_s * self.factor ** min(failures - 1, 60))
        return step * (0.5 + 0.5 * random.random())
