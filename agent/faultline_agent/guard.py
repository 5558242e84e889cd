"""Whether the agent is too busy to measure rightly, and how much it sheds. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """When load is too high, and when it is low enough again."""

    cpu_high: float = 0.90
    cpu_low: float = 0.75
    lag_high_s: float = 0.25
    lag_low_s: float = 0.10
    samples_to_enter: int = 2
    samples_to_leave: int = 3
    shed_step: float = 0.1
    shed_most: float = 0.9


class LoadGuard:
    """Takes a sample of load each second; sheds more while it is high, less while it is low."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._high = 0
        self._low = 0
        self.saturated = False
        """Whether what is measured now is measured wrongly."""
        self.shed = 0.0
        """Which share of the regular runs to leave out."""
        self.cpu = 0.0
        self.lag_s = 0.0

    def sample(self, cpu: float, lag_s: float) -> None:
        """Notes the CPU used since the last sample, as a share of one core, and the loop's worst delay."""
        limits = self._limits
        self.cpu, self.lag_s = cpu, lag_s
        high = cpu > limits.cpu_high or lag_s > limits.lag_high_s
        low = cpu < limits.cpu_low and lag_s < limits.lag_low_s
        self._high = self._high + 1 if high else 0
        self._low = self._low + 1 if low else 0
        if self._high >= limits.samples_to_enter:
            self.saturated = True
            self.shed = min(limits.shed_most, self.shed + limits.shed_step)
        elif self._low >= limits.samples_to_leave:
            self.saturated = False
            self.shed = max(0.0, self.shed - limits.shed_step)

    @property
    def sentence(self) -> str:
        """Why runs are left out; empty when none are."""
        if not self.saturated and self.shed == 0.0:
            return ""
        return (
            f"too busy: {self.cpu:.0%} of a core, loop {self.lag_s * 1000:.0f} ms late; "
            f"{self.shed:.0%} of the runs are left out"
        )
