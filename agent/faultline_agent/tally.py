"""Counts of what was measured since the agent started."""

from dataclasses import dataclass, field

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding


@dataclass(slots=True)
class Tally:
    """Results by outcome, runs left out, and the last sentence of a result that says nothing."""

    outcomes: dict[str, int] = field(default_factory=dict)
    shed: int = 0
    inconclusive_in_a_row: int = 0
    inconclusive: str = ""

    def note(self, finding: Finding) -> None:
        """Counts one result."""
        word = finding.outcome.word
        self.outcomes[word] = self.outcomes.get(word, 0) + 1
        if finding.outcome is Outcome.INCONCLUSIVE:
            self.inconclusive_in_a_row += 1
            self.inconclusive = finding.detail
        else:
            self.inconclusive_in_a_row = 0
