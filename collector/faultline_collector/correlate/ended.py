"""What has ended of late: it may return, and what it leaves for some moments is nothing new."""

from faultline_collector.correlate.causes import Cause, Key
from faultline_collector.correlate.life import CONTAINED, GUARD_HOLDS, GUARD_INTERVALS, Live, contained
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage
from faultline_collector.results import Mask


class Ended:
    """The outages that ended a while ago, the told ones for minutes and the suspected ones for moments."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._ended: list[Live] = []

    def remember(self, live: Live) -> None:
        """Adds one that was restored."""
        self._ended.append(live)

    def keep(self, live: Live, now_us: int) -> None:
        """Adds one that ends now, and forgets what is too old to return."""
        self._ended = [ended for ended in self._ended if self._may_return(ended, now_us)]
        self._ended.append(live)

    def drop_again(self, outage: Outage) -> list[Live]:
        """Drops what was found of an ended outage anew; gives it."""
        again = [ended for ended in self._ended if ended.is_again(outage)]
        self._ended = [ended for ended in self._ended if ended not in again]
        return again

    def returning(self, cause: Cause, rectangle: Mask, bad: Mask, now_us: int) -> Live | None:
        """What a cause is the return of, if anything; it is dropped."""
        for ended in self._ended:
            if self._is(ended, cause, rectangle, bad) and self._may_return(ended, now_us):
                self._ended.remove(ended)
                return ended
        return None

    def _is(self, ended: Live, cause: Cause, rectangle: Mask, bad: Mask) -> bool:
        """Whether a cause is the same as what has ended: its subject, and mostly its cells."""
        same = ended.outage.subject == cause.subject and ended.slow == cause.slow
        share = max(contained(bad, ended.rectangle), contained(ended.bad, rectangle))
        return same and share >= CONTAINED

    def silence(self, key: Key, now_us: int) -> Live | None:
        """The silence of the same that was told and ended a while ago, if any; it is dropped."""
        again = [e for e in self._ended if e.is_silence and e.key == key and self._may_return(e, now_us)]
        self._ended = [ended for ended in self._ended if ended not in again]
        return again[-1] if again else None

    def leaves(self, cause: Cause, bad: Mask, now_us: int) -> bool:
        """Whether a cause is what an outage of something else leaves for some moments after its end."""
        return any(
            ended.outage.subject != cause.subject
            and ended.outage.confirmed_us is not None
            and now_us - (ended.outage.resolved_us or 0) <= self._guard_us(ended)
            and contained(bad, ended.rectangle) >= CONTAINED
            for ended in self._ended
        )

    def _may_return(self, ended: Live, now_us: int) -> bool:
        """What was only suspected is soon forgotten: what comes minutes after a blip is not the blip."""
        told = ended.outage.confirmed_us is not None
        reopen_us = self._settings.reopen_s * 1e6 if told else self._guard_us(ended)
        return now_us - (ended.outage.resolved_us or 0) <= reopen_us

    def _guard_us(self, ended: Live) -> float:
        return max(GUARD_HOLDS * self._settings.hold_s * 1e6, GUARD_INTERVALS * ended.interval_us)
