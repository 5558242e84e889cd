"""What becomes of one delivery, at first and after each try; pure."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from faultline.backoff import Backoff
from faultline_collector.notify.kinds import Kind

BACKOFF = Backoff(first_s=1.0, most_s=300.0)

LONGEST_PAUSE_S = 3600.0
"""The most that a receiver may ask for, seconds."""


class Fate(StrEnum):
    """Where a delivery stands; held: a mute keeps it back while the outage goes on."""

    WAITING = "waiting"
    HELD = "held"
    SENT = "sent"
    MUTED = "muted"
    FAILED = "failed"
    DROPPED = "dropped"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will become of it, but that a notifier may repeat what was sent."""
        return self not in (Fate.WAITING, Fate.HELD)


def first_fate(kind: Kind, *, muted: bool, held: bool, told: bool) -> Fate:
    """What becomes of a new notice for a receiver.

    `held`: an earlier notice of the same outage is held back from it; `told`: one was not. The end of what
    was told is told in any case, or somebody would wait for it for ever; of what was held back it is not.
    """
    if kind.is_end:
        return Fate.WAITING if told or not (held or muted) else Fate.MUTED
    return Fate.HELD if held or muted else Fate.WAITING


class NotDelivered(Exception):
    """Raised when a receiver did not take a notice; `permanent`: it will never take this one.

    `pause_s` is how long the receiver asked to be left alone, 0 when it did not.
    """

    def __init__(self, sentence: str, *, permanent: bool = False, pause_s: float = 0.0) -> None:
        super().__init__(sentence)
        self.permanent = permanent
        self.pause_s = min(pause_s, LONGEST_PAUSE_S)


@dataclass(frozen=True, slots=True)
class Next:
    """What a try has led to; `due_us` is when to try again or to repeat, None: never."""

    fate: Fate
    due_us: int | None
    said: str = ""


def after_success(kind: Kind, now_us: int, repeat_s: float | None) -> Next:
    """Sent; what still goes on is told again after `repeat_s` where the notifier wants that."""
    repeats = repeat_s is not None and not kind.is_end
    return Next(Fate.SENT, now_us + round((repeat_s or 0.0) * 1e6) if repeats else None)


def after_failure(
    error: NotDelivered, tries: int, made_us: int, now_us: int, give_up_s: float, random: Random
) -> Next:
    """Tried again with back-off, not before the receiver allows, until the deadline."""
    delay_s = max(BACKOFF.delay_s(tries, random), error.pause_s)
    due_us = now_us + round(delay_s * 1e6)
    if error.permanent or due_us > made_us + round(give_up_s * 1e6):
        return Next(Fate.FAILED, None, str(error))
    return Next(Fate.WAITING, due_us, str(error))


def after_failed_repeat(error: NotDelivered, now_us: int, random: Random) -> Next:
    """It was sent once; the next repeat comes soon."""
    delay_s = max(BACKOFF.delay_s(4, random), error.pause_s)
    return Next(Fate.SENT, now_us + round(delay_s * 1e6), str(error))
