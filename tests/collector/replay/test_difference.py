"""What two tellings of the same time have in common, and what differs."""

from dataclasses import replace

import pytest

from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.replay.difference import Change, differences
from tests.collector.api.worlds import MINUTE_US, NOW_US, SECOND_US, ended, outage


def changes(before: list[Outage], after: list[Outage]) -> list[tuple[Change, tuple[str, ...]]]:
    """What became of each, and in which words."""
    return [(one.change, one.words) for one in differences(before, after)]


def past(outage_id: str, minutes: int) -> Outage:
    """An outage of two minutes that ended so long ago."""
    end_us = NOW_US - minutes * MINUTE_US
    return replace(ended(outage_id, end_us), onset_us=end_us - 2 * MINUTE_US)


def test_the_same_telling_differs_in_nothing() -> None:
    """Each outage is paired with itself, whatever its id."""
    told = [outage(), past("o-2", 10)]
    again = [replace(one, id=f"again-{one.id}") for one in told]
    assert changes(told, again) == [(Change.SAME, ())] * 2


def test_what_only_one_tells_is_gone_or_new() -> None:
    """An outage of another service is no other telling of this one."""
    other = outage("o-2", subject=Subject("service", "bank"), target_ids=("bank-web",))
    assert changes([outage()], []) == [(Change.GONE, ())]
    assert changes([], [outage()]) == [(Change.NEW, ())]
    assert changes([outage()], [other]) == [(Change.GONE, ()), (Change.NEW, ())]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"scope": Scope.GLOBAL}, ("scope regional -> global",)),
        ({"subject": Subject("provider", "edgeline")}, ("subject service twitter -> provider edgeline",)),
        ({"layer": "dns", "severity": "degraded"}, ("layer http -> dns", "severity down -> degraded")),
        ({"detected_us": NOW_US - 45 * SECOND_US}, ("detected 5 s later",)),
        ({"detected_us": NOW_US - 50 * SECOND_US + 400_000}, ()),
        ({"confirmed_us": NOW_US - 45 * SECOND_US}, ("confirmed 5 s earlier",)),
        (
            {"confirmed_us": None, "state": State.SUSPECTED},
            ("state confirmed -> suspected", "never confirmed"),
        ),
        ({"resolved_us": NOW_US}, ("resolved after all",)),
        ({"regions": ("in-east", "us-west")}, ("regions +us-west -in-west",)),
        ({"asns": (1, 2, 3, 4, 5, 6)}, ("networks +1 +2 +3 +4 and 2 more",)),
    ],
)
def test_a_difference_is_told_in_words(other: dict[str, object], words: tuple[str, ...]) -> None:
    """Each field that counts, the times where they are a second apart."""
    ((_, found),) = changes([outage()], [outage("o-2", **other)])
    assert found == words


def test_outages_of_one_subject_are_paired_with_the_nearest() -> None:
    """Two outages after each other are two; the second telling has only the later one."""
    early, late = past("early", 60), past("late", 10)
    assert [change for change, _ in changes([early, late], [late])] == [Change.GONE, Change.SAME]


def test_the_same_subject_goes_before_common_targets() -> None:
    """Of a service and its provider each is paired with its own kind."""
    service, provider = outage("s"), outage("p", subject=Subject("provider", "edgeline"))
    found = differences([provider, service], [service, provider])
    assert [one.change for one in found] == [Change.SAME, Change.SAME]


def test_an_outage_is_paired_once_though_two_would_fit() -> None:
    """The other is new."""
    twin = outage("twin", detected_us=NOW_US - 40 * SECOND_US)
    found = differences([outage()], [twin, outage("same")])
    assert [one.change for one in found] == [Change.SAME, Change.NEW]
