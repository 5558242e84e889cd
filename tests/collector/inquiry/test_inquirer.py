"""What is asked of whom, and when."""

from collections.abc import Sequence
from dataclasses import replace

from faultline.outcomes import Outcome
from faultline_collector.inquiry.inquirer import (
    FAILING_PROOFS,
    HEALTHY_PROOFS,
    MOST_TARGETS,
    MOST_WAVES,
    OTHERS,
    Inquirer,
)
from faultline_collector.inquiry.orders import Errand, Explain, ProbeNow
from faultline_collector.inquiry.witnesses import MOST_AGENTS, Witnesses
from faultline_collector.inquiry.witnesses import MOST_TARGETS as MOST_KNOWN
from faultline_collector.outages import Scope, State, Subject
from tests.collector.inquiry.scenes import (
    EVERYONE,
    FLEET,
    HOUR_US,
    MINUTE_US,
    NOW_US,
    SECOND_US,
    heard,
    inquirer,
    outage,
    results,
)

BAD = ("east-64500", "a-web")


def probes(errands: Sequence[Errand]) -> dict[str, tuple[str, ...]]:
    """The targets that each agent is to probe."""
    return {e.agent_id: e.order.target_ids for e in errands if isinstance(e.order, ProbeNow)}


def proofs(errands: Sequence[Errand]) -> dict[str, bool]:
    """The agents that are to give proof, and whether they fail."""
    return {e.agent_id: e.order.failing for e in errands if isinstance(e.order, Explain)}


def test_a_suspicion_is_asked_about_at_once_and_once() -> None:
    """Agents that do not fail, each about the suspected targets; a second look asks nothing."""
    asks = inquirer(heard(BAD))
    asked = probes(asks.look([outage()], EVERYONE, NOW_US))
    assert len(asked) == OTHERS
    assert "east-64500" not in asked
    assert {"east-64501", "east-64502"} < asked.keys()
    assert set(asked.values()) == {("a-api", "a-web")}
    assert asks.look([outage()], EVERYONE, NOW_US + SECOND_US) == []


def test_another_scope_is_another_question_but_not_for_ever() -> None:
    """A suspicion that widens is asked about again; one that flutters is left alone."""
    asks = inquirer(heard(BAD))
    waves = 0
    for i in range(MOST_WAVES + 3):
        subject = Subject("service", f"s-{i}")
        waves += bool(asks.look([outage(subject=subject)], EVERYONE, NOW_US + i * SECOND_US))
    assert waves == MOST_WAVES


def test_when_the_hold_is_over_those_that_fail_are_asked_again() -> None:
    """Whether it lasts is told by them, and need not wait for their next round."""
    asks = inquirer(heard(BAD, ("east-64501", "a-api")))
    asks.look([outage()], EVERYONE, NOW_US)
    assert probes(asks.look([outage()], EVERYONE, NOW_US + 38 * SECOND_US)) == {}
    again = asks.look([outage()], EVERYONE, NOW_US + 40 * SECOND_US)
    assert set(probes(again)) == {"east-64500", "east-64501"}
    assert {errand.reason for errand in again if isinstance(errand.order, ProbeNow)} == {"lasting"}
    assert asks.look([outage()], EVERYONE, NOW_US + 53 * SECOND_US) == []
    assert set(probes(asks.look([outage()], EVERYONE, NOW_US + 55 * SECOND_US))) == set(probes(again))
    assert asks.look([outage()], EVERYONE, NOW_US + 90 * SECOND_US) == []


def test_recovery_is_asked_of_those_that_failed() -> None:
    """Where it is seen, and a minute after the last time at the soonest."""
    asks = inquirer(heard(BAD, ("west-64502", "a-web")))
    ending, soon_us = outage(state=State.RECOVERING), NOW_US + MINUTE_US - SECOND_US
    assert set(probes(asks.look([ending], EVERYONE, soon_us))) == {"east-64500"}
    assert asks.look([ending], EVERYONE, soon_us + 59 * SECOND_US) == []
    assert set(probes(asks.look([ending], EVERYONE, soon_us + MINUTE_US))) == {"east-64500"}


def test_a_recovery_that_a_few_agents_see_is_asked_about_at_once() -> None:
    """Two that failed and are fine again let the others look, and one does not."""
    bad = [(f"{region}-64500", "a-web") for region in ("east", "north", "south")]
    witnesses = heard(*bad)
    asks, sure = inquirer(witnesses), outage(state=State.CONFIRMED, regions=("east", "north", "south"))
    for number, (agent, target) in enumerate(bad[:2]):
        assert asks.look([sure], EVERYONE, NOW_US + number * SECOND_US) == []
        witnesses.take(results((agent, target, Outcome.OK), at_us=NOW_US + number * SECOND_US + 1))
    asked = probes(asks.look([sure], EVERYONE, NOW_US + 2 * SECOND_US))
    assert set(asked) == {agent for agent, _ in bad}


def test_who_failed_elsewhere_tells_nothing_of_an_end() -> None:
    """Neither in other regions nor through other networks; where one agent alone is hit, that one does."""
    elsewhere = [("west-64500", "a-web"), ("north-64500", "a-web"), ("east-64501", "a-web")]
    witnesses = heard(BAD, *elsewhere)
    asks, sure = inquirer(witnesses), outage(state=State.CONFIRMED)
    witnesses.take(results(*((*one, Outcome.OK) for one in elsewhere), at_us=NOW_US + 1))
    assert asks.look([sure], EVERYONE, NOW_US + SECOND_US) == []
    witnesses.take(results((*BAD, Outcome.OK), at_us=NOW_US + 1))
    assert set(probes(asks.look([sure], EVERYONE, NOW_US + 2 * SECOND_US))) == {"east-64500"}
    wider = outage("o-2", state=State.CONFIRMED, asns=(64500, 64502))
    assert asks.look([wider], EVERYONE, NOW_US + 2 * SECOND_US) == []


def test_who_fails_again_is_not_fine() -> None:
    """Nor who was fine before it failed."""
    witnesses = heard(BAD)
    witnesses.take(results((*BAD, Outcome.OK), at_us=NOW_US - SECOND_US))
    assert witnesses.recovered(("a-web",), 0) == set()
    witnesses.take(results((*BAD, Outcome.OK), at_us=NOW_US + SECOND_US))
    assert witnesses.recovered(("a-web",), 0) == {"east-64500"}
    witnesses.take(results((*BAD, Outcome.DNS), at_us=NOW_US + 2 * SECOND_US))
    assert witnesses.recovered(("a-web",), 0) == set()


def test_what_others_cannot_tell_is_not_asked() -> None:
    """Silence is no matter of targets; a confirmed outage needs no more; the collector's own least of all."""
    asks = inquirer(heard(BAD))
    quiet = outage("o-2", layer="silence")
    own = outage("o-3", scope=Scope.COLLECTOR)
    sure = outage("o-4", state=State.CONFIRMED)
    assert asks.look([quiet, own, sure], EVERYONE, NOW_US) == []


def test_only_agents_that_are_there_and_known_are_asked() -> None:
    """The first result of an agent must be one of its schedule."""
    asks = inquirer(heard(BAD))
    asked = asks.look([outage()], {"west-64500", "stranger"}, NOW_US)
    assert {errand.agent_id for errand in asked} == {"west-64500"}
    fresh = inquirer(heard(BAD, since_us=NOW_US - 20 * SECOND_US))
    assert fresh.look([outage()], EVERYONE, NOW_US) == []
    assert inquirer(Witnesses()).look([outage()], EVERYONE, NOW_US) == []


def test_nobody_is_asked_about_what_it_does_not_probe() -> None:
    """A target of one region is asked about there, and no agent about more than a few."""
    asks = inquirer(heard(("east-64500", "d-web")))
    asked = probes(asks.look([outage(target_ids=("d-web",))], EVERYONE, NOW_US))
    assert set(asked) == {"east-64501", "east-64502"}
    everything = tuple(target.id for target in FLEET.targets)
    asked = probes(asks.look([outage("o-2", target_ids=everything)], EVERYONE, NOW_US))
    assert max(map(len, asked.values())) == MOST_TARGETS


def test_proof_is_asked_of_a_few_that_fail_and_a_few_that_do_not() -> None:
    """At what fails; what could not be had at first is asked for when it has lasted; never twice of one."""
    witnesses = heard(BAD)
    asks = inquirer(witnesses)
    first = asks.look([outage()], EVERYONE, NOW_US)
    assert sorted(proofs(first).values()) == [False] * HEALTHY_PROOFS + [True]
    assert {e.order.target_id for e in first if isinstance(e.order, Explain)} == {"a-web"}
    witnesses.take(results(*((f"{r}-64501", "a-api", Outcome.TLS) for r in ("east", "west", "north"))))
    more = asks.look([outage()], EVERYONE, NOW_US + 41 * SECOND_US)
    assert sorted(proofs(more).values()) == [True] * (FAILING_PROOFS - 1)
    assert not proofs(first).keys() & proofs(more).keys()
    ids = [e.order.request_id for e in (*first, *more) if isinstance(e.order, Explain)]
    assert len(set(ids)) == len(ids)


def test_the_budget_withholds_and_is_counted() -> None:
    """Suspicions without end ask for no more than one twentieth of an hour's probes."""
    asks = inquirer(heard(BAD))
    asked = [
        errand
        for i in range(100)
        for errand in asks.look([outage(f"o-{i}")], EVERYONE, NOW_US + i * SECOND_US)
    ]
    hourly = 3 * (600 + 3 * 480)
    assert 0.9 * hourly * 0.05 < sum(errand.probes for errand in asked) <= hourly * 0.05
    assert asks.withheld > 0
    assert asks.budget_left(EVERYONE, NOW_US + 100 * SECOND_US) == hourly * 0.05 - sum(
        errand.probes for errand in asked
    )
    assert asks.look([outage("new")], EVERYONE, NOW_US + 2 * HOUR_US)


def test_proof_that_the_budget_withheld_is_asked_for_when_it_can_be() -> None:
    """For half a minute, also when it is confirmed by then; nothing else is, and no vantage twice."""
    asks = inquirer(heard(BAD), began_us=NOW_US - 33 * SECOND_US)
    first = asks.look([outage()], EVERYONE, NOW_US)
    sure = outage(state=State.CONFIRMED)
    later = [e for s in range(1, 29) for e in asks.look([sure], EVERYONE, NOW_US + s * SECOND_US)]
    assert len(proofs(first)) < HEALTHY_PROOFS + 1
    assert sorted([*proofs(first).values(), *proofs(later).values()]) == [False] * HEALTHY_PROOFS + [True]
    assert {e.reason for e in later} == {"proof"}
    assert len({e.agent_id for e in later}) == len(later)
    late = inquirer(heard(BAD), began_us=NOW_US - 33 * SECOND_US)
    assert len(late.look([outage()], EVERYONE, NOW_US)) == len(first)
    assert late.look([sure], EVERYONE, NOW_US + 31 * SECOND_US) == []


def test_another_fleet_is_asked_about_its_own_targets() -> None:
    """What is no longer probed is left out."""
    asks = inquirer(heard(BAD))
    asks.refit(replace(FLEET, targets=FLEET.targets[1:]))
    asked = probes(asks.look([outage()], EVERYONE, NOW_US))
    assert set(asked.values()) == {("a-api",)}
    assert isinstance(asks, Inquirer)


def test_witnesses_are_those_that_failed_first_attempts_since_then() -> None:
    """Neither success nor doubt nor a retry nor what is older."""
    witnesses = Witnesses()
    witnesses.take(results(("a", "x", Outcome.DNS), ("b", "x", Outcome.OK), ("c", "x", Outcome.INCONCLUSIVE)))
    witnesses.take(results(("d", "x", Outcome.HTTP), attempt=1))
    witnesses.take(results(("e", "x", Outcome.HTTP), at_us=NOW_US - MINUTE_US))
    assert witnesses.failing(("x", "y"), NOW_US - SECOND_US) == {"a": "x"}
    assert set(witnesses.failing(("x",), NOW_US - MINUTE_US)) == {"a", "e"}


def test_witnesses_are_bounded_and_the_newest_are_kept() -> None:
    """Whatever fails."""
    witnesses = Witnesses()
    for i in range(MOST_AGENTS + 50):
        witnesses.take(results((f"a-{i}", "x", Outcome.DNS)))
    found = witnesses.failing(("x",), 0)
    assert len(found) == MOST_AGENTS
    assert f"a-{MOST_AGENTS + 49}" in found
    for i in range(0, MOST_KNOWN + 400, 400):
        witnesses.take(results(*(("a", f"t-{i + j}", Outcome.DNS) for j in range(400))))
    assert witnesses.failing(("x",), 0) == {}
    crowd = results(*((f"c-{i}", "z", Outcome.DNS) for i in range(3_000)))
    witnesses.take(crowd)
    assert len(witnesses.failing(("z",), 0)) == MOST_AGENTS
