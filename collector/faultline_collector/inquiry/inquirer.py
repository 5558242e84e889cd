"""What is to be asked of whom, now. Pure: it sends nothing and has no clock."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from faultline_collector.fleet import Agent, Fleet
from faultline_collector.inquiry.budget import Budget, hourly_probes
from faultline_collector.inquiry.orders import Errand, Explain, ProbeNow
from faultline_collector.inquiry.vantages import representative, spread, telling
from faultline_collector.inquiry.witnesses import Witnesses
from faultline_collector.outages import Outage, Scope, State

MOST_TARGETS = 4
"""Most targets that one agent is asked about at once."""

OTHERS, AGAIN, RECOVERED = 10, 8, 24
"""Agents that are asked: fine ones on suspicion, failing ones when it lasts, those of before on recovery."""

MOST_WAVES = 12
"""Most often that is asked about one outage."""

LASTING_WAVES = 2
"""How often is asked when the hold is over: an answer early in an agent's round adds little to that round."""

BEGINS_TO_END = 2
"""Agents that are fine again, for an end to be asked about."""

RECOVERING_EVERY_US = 60_000_000
"""How long after an end was asked about it is asked about again."""

RUNS_WITHIN_US = 8_000_000
"""What an agent has not begun by then it leaves: it would tell of another moment."""

APART_US = 10_000_000
"""Cadence of an order: beyond its end, so that each target is probed once."""

FAILING_PROOFS, HEALTHY_PROOFS = 3, 2
"""Vantages that give proof of one outage."""

PROOF_WITHIN_US = 30_000_000
"""How long proof is waited for; and asked for again where the budget withheld it."""

OWED = ("owed",)
"""The question that is only about proof which was withheld."""

FORGET_US = 3600 * 1_000_000


@dataclass(slots=True)
class _Case:
    """What was asked about one outage."""

    asked: set[tuple[str, ...]] = field(default_factory=set)
    proving: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})
    requests: int = 0
    owed_until_us: int = 0
    seen_us: int = 0
    recovering_us: int = 0


class Inquirer:
    """Looks at the open outages once a second; gives errands that the budget allows.

    `withheld` counts probes that it would have asked for.
    """

    def __init__(self, fleet: Fleet, witnesses: Witnesses, hold_us: int, began_us: int) -> None:
        self.budget = Budget(began_us)
        self.withheld = 0
        self._witnesses = witnesses
        self._hold_us = hold_us
        self._cases: dict[str, _Case] = {}
        self.refit(fleet)

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet."""
        self._agents = {agent.id: agent for agent in fleet.agents}
        self._targets = {target.id: target for target in fleet.targets}
        self._hourly = hourly_probes(fleet)
        self._settled_us = round(1e6 * max((target.interval_s for target in fleet.targets), default=0.0))

    def look(self, outages: Iterable[Outage], live: Collection[str], now_us: int) -> list[Errand]:
        """What to ask the `live` agents about these open outages."""
        hourly = {
            agent_id: self._hourly.get(agent.region, 0.0)
            for agent_id in live
            if (agent := self._agents.get(agent_id)) is not None
        }
        found: list[Errand] = []
        for outage in outages:
            if outage.layer != "silence" and outage.scope is not Scope.COLLECTOR:
                case = self._cases.setdefault(outage.id, _Case())
                case.seen_us = now_us
                found += self._granted(self._about(outage, case, hourly, now_us), case, hourly, now_us)
        for old in [i for i, case in self._cases.items() if now_us - case.seen_us > FORGET_US]:
            del self._cases[old]
        return found

    def budget_left(self, live: Collection[str], now_us: int) -> int:
        """Probes that may still be asked for now."""
        agents = (self._agents[agent_id] for agent_id in live if agent_id in self._agents)
        return self.budget.left({a.id: self._hourly.get(a.region, 0.0) for a in agents}, now_us)

    def _granted(
        self, errands: Iterable[Errand], case: _Case, hourly: Mapping[str, float], now_us: int
    ) -> Iterator[Errand]:
        """What the budget allows; proof that it does not allow now is owed."""
        for errand in errands:
            order = errand.order
            if self.budget.left_of(errand.agent_id, hourly, now_us) < errand.probes:
                self.withheld += errand.probes
                if isinstance(order, Explain):
                    case.owed_until_us = case.owed_until_us or order.until_us
                continue
            self.budget.grant(errand.agent_id, errand.probes, order.until_us)
            if isinstance(order, Explain):
                case.proving[order.failing].add(errand.agent_id)
            yield errand

    def _about(
        self, outage: Outage, case: _Case, hourly: Mapping[str, float], now_us: int
    ) -> Iterator[Errand]:
        wave = self._wave(outage, case, now_us)
        if not wave or wave in case.asked or len(case.asked) >= MOST_WAVES:
            if now_us >= case.owed_until_us or self.budget.left(hourly, now_us) <= 0:
                return
            wave = OWED
        case.asked.add(wave)
        failing = self._witnesses.failing(outage.target_ids, outage.onset_us)
        there = [self._agents[agent_id] for agent_id in hourly if self._is_settled(agent_id, now_us)]
        bad = spread((agent for agent in there if agent.id in failing), f"{outage.id}{len(case.asked)}")
        good = telling(outage, (agent for agent in there if agent.id not in failing))
        match wave[0]:
            case "owed":
                yield from self._proofs(bad, good, failing, outage, case, now_us)
            case "suspected":
                yield from self._proofs(bad, good, failing, outage, case, now_us)
                yield from self._probes(good[:OTHERS], outage, "suspected", now_us)
            case "lasting":
                yield from self._proofs(bad, good, failing, outage, case, now_us)
                yield from self._probes(bad[:AGAIN], outage, "lasting", now_us)
            case _:
                case.recovering_us = now_us
                hit = self._hit((agent.id for agent in bad), outage)
                yield from self._probes(hit[:RECOVERED], outage, "recovering", now_us)

    def _wave(self, outage: Outage, case: _Case, now_us: int) -> tuple[str, ...]:
        """Which question is due, if any; one that has another scope is another question."""
        if outage.state is not State.SUSPECTED:
            is_due = now_us - case.recovering_us >= RECOVERING_EVERY_US
            return ("recovering", str(now_us)) if is_due and self._seems_over(outage) else ()
        over_us = now_us - outage.onset_us - self._hold_us
        if over_us >= 0 and now_us > outage.detected_us:
            turn = min(2 * over_us // max(self._settled_us, 1), LASTING_WAVES - 1)
            return ("lasting", str(turn))
        return ("suspected", outage.scope.value, outage.subject.kind, outage.subject.id)

    def _seems_over(self, outage: Outage) -> bool:
        """Whether two of those that it hits are fine again, or the only one."""
        if outage.state is State.RECOVERING:
            return True
        fine = self._hit(self._witnesses.recovered(outage.target_ids, outage.onset_us), outage)
        if len(fine) == 1:
            return len(self._hit(self._agents, outage)) == 1
        return len(fine) >= BEGINS_TO_END

    def _hit(self, agent_ids: Iterable[str], outage: Outage) -> list[Agent]:
        """Those of these agents that stand where it is seen: who fails elsewhere fails for another reason."""
        known = (self._agents[agent_id] for agent_id in agent_ids if agent_id in self._agents)
        return [
            agent
            for agent in known
            if agent.region in outage.regions and (not outage.asns or agent.asn in outage.asns)
        ]

    def _is_settled(self, agent_id: str, now_us: int) -> bool:
        """Whether its regular probes are known: the first of all must not be one that was asked for."""
        since_us = self._witnesses.heard_since_us(agent_id)
        return since_us is not None and now_us - since_us > self._settled_us

    def _probes(self, agents: Iterable[Agent], outage: Outage, reason: str, now_us: int) -> Iterator[Errand]:
        for agent in agents:
            ids = self._of_interest(agent, outage)
            if ids:
                order = ProbeNow(ids, APART_US, now_us + RUNS_WITHIN_US)
                yield Errand(agent.id, order, reason, len(ids))

    def _of_interest(self, agent: Agent, outage: Outage) -> tuple[str, ...]:
        mine = [
            target
            for target_id in outage.target_ids
            if (target := self._targets.get(target_id)) is not None
            and (not target.regions or agent.region in target.regions)
        ]
        return tuple(target.id for target in representative(mine, MOST_TARGETS))

    def _proofs(
        self,
        bad: Iterable[Agent],
        good: Iterable[Agent],
        failing: Mapping[str, str],
        outage: Outage,
        case: _Case,
        now_us: int,
    ) -> Iterator[Errand]:
        """Asks for proof once of each vantage; of healthy ones at targets that fail elsewhere."""
        common = next(iter(failing.values()), "")
        for agents, is_bad, most in ((bad, True, FAILING_PROOFS), (good, False, HEALTHY_PROOFS)):
            proving = case.proving[is_bad]
            left = most - len(proving)
            for agent in agents:
                target_id = failing.get(agent.id, common)
                target = self._targets.get(target_id)
                if not left or target is None:
                    break
                if agent.id in proving or (target.regions and agent.region not in target.regions):
                    continue
                left -= 1
                case.requests += 1
                order = Explain(
                    f"{outage.id}.{case.requests}", outage.id, target_id, is_bad, now_us + PROOF_WITHIN_US
                )
                yield Errand(agent.id, order, "proof", 1)
