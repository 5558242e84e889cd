"""What of the spool is on its way to the collector within one session. Pure."""

import math
from dataclasses import dataclass

from faultline.ranges import Ranges
from faultline_agent.spool import Parcel

FRESH_US = 30_000_000
"""What was recorded so long ago at most counts as live, also when it was before the session."""

LIVE_WINDOW, BACKLOG_WINDOW = 32, 16
"""Most batches of a lane that are sent and not yet acknowledged."""

PATIENCE_S = 60.0
"""A session in which a batch waits longer than this for its acknowledgement is given up.

Not sooner: while the collector's store stands still, a whole fleet would come again and again."""

OVERTAKEN_S = 5.0
"""A batch is sent again when one that was sent so much later is acknowledged before it: it was lost."""


@dataclass(frozen=True, slots=True)
class _Sent:
    parcel: Parcel
    live: bool
    at: float


class Lanes:
    """Two bounded windows: live batches, newest first, and the backlog, oldest first."""

    def __init__(self, session_began_us: int) -> None:
        self._session_began_us = session_began_us
        self._sent: dict[int, _Sent] = {}
        self._durable = Ranges()
        self._newest = -math.inf

    def live_since_us(self, now_us: int) -> int:
        """Batches recorded at or after this time are live."""
        return min(self._session_began_us, now_us - FRESH_US)

    def has_room(self, *, live: bool) -> bool:
        """Whether another batch may be sent in the lane."""
        window = LIVE_WINDOW if live else BACKLOG_WINDOW
        return sum(sent.live is live for sent in self._sent.values()) < window

    @property
    def in_flight(self) -> frozenset[int]:
        """First sequences of the batches that wait for their acknowledgement."""
        return frozenset(self._sent)

    def send(self, parcel: Parcel, now: float, *, live: bool) -> None:
        """Notes that a batch is sent."""
        self._sent[parcel.first] = _Sent(parcel, live, now)

    def acknowledge(self, durable: Ranges) -> Ranges:
        """Notes what is durable; gives what may be forgotten, batches in parts being kept until whole.

        Acknowledgements come in the order of sending, in both lanes together: a batch that was overtaken is
        on its way no more, and so is the next to be sent.
        """
        self._durable.update(durable)
        whole = durable.copy()
        for sent in [s for s in self._sent.values() if self._is_durable(s.parcel)]:
            del self._sent[sent.parcel.first]
            whole.add(sent.parcel.first, sent.parcel.last)
            self._newest = max(self._newest, sent.at)
        for sent in [s for s in self._sent.values() if self._newest - s.at > OVERTAKEN_S]:
            del self._sent[sent.parcel.first]
        return whole

    def _is_durable(self, parcel: Parcel) -> bool:
        return self._durable.covers(parcel.first, parcel.last)

    def is_stuck(self, now: float) -> bool:
        """Whether a batch waits too long."""
        return any(now - sent.at > PATIENCE_S for sent in self._sent.values())
