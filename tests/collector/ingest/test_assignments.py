"""What each agent is to probe."""

import json
from dataclasses import replace

from faultline_collector.ingest.assignments import Assignments
from tests.collector.ingest.worlds import FLEET, target


def test_an_assignment_names_its_content() -> None:
    """Equal content has equal versions, in whatever process; a changed setting has another."""
    west = FLEET.agents[1]
    first, second = Assignments(FLEET).of(west), Assignments(replace(FLEET)).of(west)
    changed = (replace(target("api"), interval_s=5.0), *FLEET.targets[1:])
    third = Assignments(replace(FLEET, targets=changed)).of(west)
    assert first.message == second.message
    assert third.version != first.version == first.message.assignment.version
    assert [one.target_id for one in first.message.assignment.targets] == ["api", "web"]
    assert first.known_targets == frozenset({"api", "far", "web"})


def test_agents_with_equal_targets_share_a_message() -> None:
    """A fleet of thousands holds few assignments."""
    east, west = FLEET.agents
    everywhere = Assignments(replace(FLEET, targets=(target("web"),)))
    assert everywhere.of(east) is everywhere.of(west)


def test_a_target_goes_over_the_wire_whole() -> None:
    """Kind, settings, interval and time limit arrive as they were configured."""
    one = replace(target("web"), timeout_s=2.5, settings={"url": "http://b/", "body": "x"})
    wired = Assignments(replace(FLEET, targets=(one,))).of(FLEET.agents[0]).message.assignment.targets[0]
    assert (wired.target_id, wired.kind, wired.interval_us, wired.timeout_us) == (
        "web",
        "http",
        30_000_000,
        2_500_000,
    )
    assert json.loads(wired.settings_json) == {"url": "http://b/", "body": "x"}
