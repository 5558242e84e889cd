"""The score and the rules that stand beside Faultline in the bench."""

from dataclasses import replace
from pathlib import Path

import pytest

from faultline_collector.outages import Scope
from faultline_collector.worlds.draw import draw_scenario
from faultline_collector.worlds.making import World, make_world
from faultline_collector.worlds.scenario import Fault, Truth
from tests.bench.duel import keep, kept
from tests.bench.pictures import confusion_picture, delay_picture, found_picture
from tests.bench.report import section
from tests.bench.rules import RULES, told_by_rules
from tests.bench.scoring import ANOTHER, NOTHING, Fact, Said, Score, facts_of, least_delay_s, most_likely
from tests.bench.verdict import rows_of


@pytest.fixture(scope="module")
def world() -> World:
    """A service out everywhere, and later one from some regions; little noise, sharp edges, no blips."""
    scenario = draw_scenario(6, ("global", "regional"), interval_s=60, regions=8)
    pairs = zip(scenario.faults, scenario.truth, strict=True)
    sharp = [(sharpened(fault, truth), truth) for fault, truth in pairs if not truth.optional]
    faults, truth = zip(*sharp, strict=True)
    calm = {"noise": scenario.noise.model_copy(update={"level": 0.2})}
    return make_world(scenario.model_copy(update=calm | {"faults": faults, "truth": truth}))


def sharpened(fault: Fault, truth: Truth) -> Fault:
    """The fault in full from its beginning to its end."""
    return fault.model_copy(update={"course": ((truth.began[0], 1.0), (truth.ended[0], 1.0))})


def told(fact: Fact, **changes: object) -> Said:
    """An outage that says all of a fact rightly, 5 s after its beginning until 60 s after its end."""
    right = Said(
        scope=fact.scope,
        subject=fact.subject,
        targets=fact.targets,
        regions=fact.regions,
        detected_s=fact.begin_s + 5,
        resolved_s=fact.end_s + 60,
        onset_s=fact.begin_s + 2,
        confirmed_s=fact.begin_s + 40,
    )
    return replace(right, **changes)  # type: ignore[arg-type]


def score(world: World, *said: Said) -> Score:
    """The score of what was said of one world."""
    made = Score()
    made.add(world, said)
    return made


def test_all_that_is_said_rightly_is_found(world: World) -> None:
    """With its delay, its regions, its onset and its end."""
    facts = facts_of(world)
    made = score(world, *map(told, facts))
    assert (made.faults, made.found, made.right, made.told, made.false) == (2, 2, 2, 2, 0)
    assert made.delays_s == pytest.approx([5, 5])
    assert made.onset_errors_s == pytest.approx([2, 2])
    assert made.recoveries_s == pytest.approx([60, 60])
    assert (made.overlap, made.unresolved) == (1.0, 0)
    assert made.scopes == {("global", "global"): 1, ("regional", "regional"): 1}


def test_another_scope_is_found_but_not_right(world: World) -> None:
    """Also when it is told twice."""
    fact = facts_of(world)[0]
    provider = told(fact, scope=Scope.PROVIDER, subject=("provider", "edgeline"))
    made = score(world, provider, replace(provider, detected_s=fact.begin_s + 90))
    assert (made.found, made.right, made.told) == (1, 0, 2)
    assert made.scopes["global", "provider"] == 1
    assert made.scopes["regional", "nothing"] == 1


def test_what_is_told_some_time_after_the_beginning_is_asked(world: World) -> None:
    """First another service, after a minute the right one, resolved within five."""
    fact = facts_of(world)[0]
    other, right = ("service", "other"), fact.subject
    named = ((0.0, fact.scope, other), (fact.begin_s + 50, fact.scope, right))
    one = told(fact, named=named, resolved_s=fact.begin_s + 200)
    made = score(world, one)
    scope = fact.scope.value
    assert made.scopes_at[30, scope, ANOTHER] == made.scopes_at[60, scope, scope] == 1
    assert made.scopes_at[300, scope, NOTHING] == 1
    assert made.right_at(60) == (1, 2)


def test_scores_add_up_and_are_read_as_they_were_kept(world: World, tmp_path: Path) -> None:
    """Two worlds count as one sum; a file of it says the same, and so do table and pictures."""
    one = score(world, *map(told, facts_of(world)))
    total = Score()
    total.merge(one)
    total.merge(one)
    assert (total.faults, total.right, total.notices) == (4, 4, 4)
    keep({"Faultline": total}, 2, tmp_path / "kept.json")
    read, worlds = kept(tmp_path / "kept.json")
    assert (read, worlds) == ({"Faultline": total}, 2)
    page = section(read, worlds)
    assert "| found | 4 of 4 |" in page
    assert "| global | 2 |" in page
    for drawn in (found_picture(read), delay_picture(read), confusion_picture(total)):
        assert drawn.startswith("<svg ")
        assert drawn.count("<text") == drawn.count("</text>") >= 3


def test_what_speaks_of_nothing_is_false(world: World) -> None:
    """At another time, or of another thing; of single agents it is counted apart."""
    fact = facts_of(world)[0]
    early = told(fact, detected_s=fact.begin_s - 61)
    other = told(fact, subject=("service", "none"), targets=frozenset({"none"}))
    agent = told(fact, scope=Scope.AGENT, subject=("agent", "x"), targets=frozenset({"none"}))
    made = score(world, early, other, agent)
    assert (made.found, made.false, made.false_agents) == (0, 2, 1)
    a_year, most = made.false_a_year
    assert 0 < a_year < most


def test_what_never_ends_is_counted(world: World) -> None:
    """It has no recovery."""
    fact = facts_of(world)[0]
    made = score(world, told(fact, resolved_s=None))
    assert (made.unresolved, made.recoveries_s) == (1, [])


def test_a_blip_may_be_told_but_not_confirmed(world: World) -> None:
    """What is optional is neither a fault nor a false alarm."""
    scenario = world.scenario
    blip = scenario.truth[0].model_copy(update={"optional": True})
    shaky = replace(world, scenario=scenario.model_copy(update={"truth": (blip,)}))
    fact = facts_of(shaky)[0]
    made = score(shaky, told(fact), told(fact, confirmed_s=None))
    assert (made.faults, made.false, made.on_blips) == (0, 0, 1)


@pytest.mark.parametrize(("loss", "seconds"), [(1.0, 3.6), (0.5, 8), (0.2, 26), (0.05, 168)])
def test_the_bound_is_lordens(loss: float, seconds: float) -> None:
    """For 50 agents each minute: the figures of the literature's formula, to a tenth."""
    assert least_delay_s(60 / 50, loss) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize(("count", "mean"), [(0, 2.996), (1, 4.744), (5, 10.513)])
def test_the_upper_end_is_garwoods(count: int, mean: float) -> None:
    """From the table of one-sided 95 % limits."""
    assert most_likely(count) == pytest.approx(mean, abs=0.002)


def test_each_rule_tells_what_it_is_known_to_tell(world: World) -> None:
    """All find what is out everywhere; only the quorum knows regions; the average needs two minutes."""
    scores = {name: score(world, *said) for name, said in told_by_rules(world).items()}
    assert scores.keys() == RULES.keys()
    assert all(one.scopes.get(("global", "global")) == 1 for one in scores.values())
    assert scores["quorum"].scopes["regional", "regional"] == 1
    assert scores["Route 53"].scopes["regional", "nothing"] == 1
    assert scores["Prometheus average"].delays_s[0] > 120 > scores["Trinocular"].delays_s[0]
    assert len(list(rows_of("quorum", scores["quorum"]))) == 14
