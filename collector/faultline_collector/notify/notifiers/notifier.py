"""The seam of notices: something that can bring one to its receiver."""

from typing import Protocol

from faultline_collector.notify.document import Notice


class Notifier(Protocol):
    """Brings notices to one receiver. Repeats carry the same id, so a receiver can tell them."""

    @property
    def repeat_s(self) -> float | None:
        """How often what still goes on is told again, seconds; None: once is enough."""

    async def deliver(self, notice: Notice, now_us: int) -> None:
        """Brings one notice; raises NotDelivered. The caller sets the deadline."""

    async def close(self) -> None:
        """Lets go of connections."""
