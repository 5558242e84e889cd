"""Where agents and collectors speak over MQTT."""

import pytest
from aiomqtt import Topic

from faultline import topics

SAID = (topics.up("west-1"), topics.up_at("west-1", "one"), topics.last("west-1"))


@pytest.mark.parametrize("topic", SAID)
def test_what_an_agent_says_is_heard_once_and_is_its_own(topic: str) -> None:
    """Each of its topics is one subscription of the collector, and names the agent."""
    heard = [wanted.removeprefix(f"$share/{topics.GROUP}/") for wanted in topics.heard_by("one")]
    assert sum(Topic(topic).matches(wanted) for wanted in heard) == 1
    assert topics.speaker(topic) == "west-1"


def test_another_collector_hears_only_hellos_and_last_wills() -> None:
    """What is said in a session goes to the collector that holds it."""
    heard = [wanted.removeprefix(f"$share/{topics.GROUP}/") for wanted in topics.heard_by("other")]
    assert [topic for topic in SAID if any(Topic(topic).matches(one) for one in heard)] == [SAID[0], SAID[2]]


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a\0"])
def test_name_that_is_no_level_is_told(name: str) -> None:
    """It would reach into the topics of others."""
    assert topics.is_level("west-1")
    assert not topics.is_level(name)
