"""Whether the collector does its work, as /healthz says it."""

from dataclasses import dataclass

MOST_TICK_AGE_US = 10_000_000
"""A tick that is older than this says that the collector stands still."""


@dataclass(slots=True)
class Health:
    """What the app notes as it goes: the last tick, and what is wrong with store and broker, in one sentence.

    Without its broker the collector goes on: agents spool, and those over gRPC notice nothing. So it does
    while a store on another machine is away: results wait in the outbox.
    """

    ticked_us: int = 0
    store_problem: str = ""
    broker_problem: str = ""
    store_away: str = ""

    def problem(self, now_us: int) -> str:
        """What is wrong, in one sentence; empty when all is well."""
        if self.ticked_us == 0:
            return "the collector is starting: it has not judged anything yet"
        if now_us - self.ticked_us > MOST_TICK_AGE_US:
            return f"the last tick is {(now_us - self.ticked_us) / 1e6:.0f} s old"
        return f"the store does not take results: {self.store_problem}" if self.store_problem else ""
