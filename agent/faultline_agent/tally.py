"""Counts of what was measured since the agent started."""

from dataclasses import dataclass, field

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding


@dataclass(slots=True)
class Tally:
    """Results by outcome, runs left out, and the last sentence of a result that says nothing."""

    counts: dict[Outcome, int] = field(default_factory=dict)
    shed: int = 0
    inconclusive_in_a_row: int = 0
    inconclusive: str = ""

    @property
    def outcomes(self) -> dict[str, int]:
        """Counts by the outcomes' words."""
        return {outcome.word: count for outcome, count in self.counts.items()}

    def note(self, finding: Finding) -> None:
        """Counts one result."""
        outcome = finding.outcome
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        if outcome is Outcome.INCONCLUSIVE:
            self.inconclusive_in_a_row += 1
            self.inconclusive = finding.detail
        else:
            self.inconclusive_in_a_row = 0
