"""How far an agent's clock is from the collector's."""

from collections import deque

_SAMPLES = 5


class ClockOffset:
    """Estimates collector's minus agent's clock from one-way messages.

    Each receipt minus its sending is the offset plus a delay that is never negative, so the smallest of
    the last few is the nearest (the minimum filter of NTP, RFC 5905, section 10); few, so that a clock
    that was stepped is followed within half a minute.
    """

    def __init__(self) -> None:
        self._samples: deque[int] = deque(maxlen=_SAMPLES)

    def note(self, sent_us: int, received_us: int) -> None:
        """Takes the agent's time of sending and the collector's time of receipt."""
        self._samples.append(received_us - sent_us)

    @property
    def offset_us(self) -> int:
        """What to add to the agent's times, microseconds; 0 before anything is known."""
        return min(self._samples, default=0)
