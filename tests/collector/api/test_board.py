"""What is published, and when new bytes are made."""

import json
from typing import Any

from faultline_collector.api.board import KEPT_US
from faultline_collector.correlate.engine import Health
from faultline_collector.outages import State
from tests.collector.api.worlds import AGENTS, MINUTE_US, NOW_US, SECOND_US, World, ended, outage, standings


def state(world: World) -> dict[str, Any]:
    """The map's content."""
    content: dict[str, Any] = json.loads(world.board.state.body)
    return content


def listed(world: World) -> list[str]:
    """The outages that the map shows."""
    return [row["id"] for row in state(world)["outages"]]


def test_before_the_first_tick_there_is_an_empty_world(world: World) -> None:
    """A viewer who is early gets an answer, not an error."""
    assert state(world) == {
        "version": 1,
        "at": "1970-01-01T00:00:00.000+00:00",
        "regions": [],
        "services": [],
        "networks": [],
        "providers": [],
        "outages": [],
    }


def test_a_tick_without_change_keeps_the_very_same_bytes(world: World) -> None:
    """Nothing is serialised for nothing, and readers hear nothing."""
    world.publish()
    before = world.board.state
    with world.board.events.reader() as reader:
        world.publish(at_us=NOW_US + SECOND_US)
        assert len(reader) == 0
    assert world.board.state is before


def test_readers_of_a_quiet_board_hear_a_beat(world: World) -> None:
    """Who watches a quiet world can tell it from a collector that no longer judges."""
    world.publish()
    with world.board.events.reader() as reader:
        for tick in range(1, 12):
            world.publish(at_us=NOW_US + tick * SECOND_US)
        assert len(reader) == 1
        assert reader.pop().wire.startswith(b'event: beat\ndata: {"at":"')


def test_a_tick_that_changes_only_what_the_map_does_not_show_keeps_the_bytes(world: World) -> None:
    """New evidence for the same outage is no news for the map."""
    world.publish(open_now=[outage()])
    before = world.board.state
    world.publish(open_now=[outage(evidence={"failing": {"agents": 3}})])
    assert world.board.state is before


def test_a_change_makes_a_new_version_at_its_time(world: World) -> None:
    """The version rises by one, `at` is the time of the change, and the tag differs."""
    world.publish()
    before, tag = state(world), world.board.state.tag
    world.publish(seen=standings(in_west=Health.DOWN), at_us=NOW_US + SECOND_US)
    after = state(world)
    assert after["version"] == before["version"] + 1
    assert after["at"] == "2027-01-15T08:00:01.000+00:00"
    assert world.board.state.tag != tag


def test_an_agent_that_falls_silent_changes_the_map(world: World) -> None:
    """Its region counts one less that lives."""
    world.publish()
    assert {r["id"]: r["live"] for r in state(world)["regions"]} == dict.fromkeys(
        ("in-east", "in-west", "us-west"), 1
    )
    world.publish(live=("east-1", "us-1"))
    assert {r["id"]: r["live"] for r in state(world)["regions"]}["in-west"] == 0


def test_outages_are_listed_newest_first_without_their_evidence(world: World) -> None:
    """Evidence may be large; it is one question away."""
    older, newer = outage("a", detected_us=NOW_US - MINUTE_US), outage("b", detected_us=NOW_US)
    world.publish(open_now=[older, newer], changed=[older, newer])
    assert listed(world) == ["b", "a"]
    assert "evidence" not in state(world)["outages"][0]


def test_an_outage_that_ended_stays_for_a_day(world: World) -> None:
    """To the second."""
    over = ended("o-1", NOW_US)
    world.publish(changed=[over])
    world.publish(at_us=NOW_US + KEPT_US)
    assert listed(world) == ["o-1"]
    world.publish(at_us=NOW_US + KEPT_US + 1)
    assert listed(world) == []


def test_outages_that_ended_before_the_start_are_seeded(world: World) -> None:
    """Open ones come with the tick, and are not taken twice."""
    world.board.seed([ended("old", NOW_US - MINUTE_US), outage("open")])
    world.publish()
    assert listed(world) == ["old"]
    assert world.board.is_listed("old")
    assert not world.board.is_listed("open")


def test_an_outage_that_opens_again_is_listed_once(world: World) -> None:
    """Whatever was noted of its end before."""
    world.publish(changed=[ended("o-1", NOW_US)])
    world.publish(open_now=[outage()], changed=[outage()])
    assert [(row["id"], row["state"]) for row in state(world)["outages"]] == [("o-1", "confirmed")]


def test_every_change_of_an_outage_is_sent_and_then_the_state(world: World) -> None:
    """In this order, so that a reader of states is at the newest at the end."""
    with world.board.events.reader() as reader:
        world.publish(open_now=[outage()], changed=[outage(), ended("gone", NOW_US)])
        sent = [reader.pop() for _ in range(len(reader))]
    assert [change.name for change in sent] == ["outage", "outage", "state"]
    assert sent[0].outage == outage()
    assert sent[2].wire.endswith(b"data: " + world.board.state.body + b"\n\n")


def test_a_withdrawn_suspicion_stays_readable(world: World) -> None:
    """What could be read once is not unsaid."""
    withdrawn = outage(state=State.SUSPECTED, confirmed_us=None).with_state(State.WITHDRAWN, NOW_US)
    world.publish(changed=[withdrawn])
    assert state(world)["outages"][0]["state"] == "withdrawn"


def test_agents_are_told_as_of_the_last_tick(world: World) -> None:
    """Bytes are made when first asked for, once a tick."""
    world.publish()
    first = world.board.agents.read()
    assert world.board.agents.read() is first
    world.publish(live=("us-1",), at_us=NOW_US + SECOND_US)
    agents = {agent["id"]: agent for agent in json.loads(world.board.agents.read().body)["agents"]}
    assert {name: agents[name]["state"] for name in AGENTS} == {
        "east-1": "never",
        "us-1": "live",
        "west-1": "never",
    }
    assert agents["west-1"]["last_seen"] is None


def test_targets_are_told_without_their_settings(world: World) -> None:
    """URLs and headers may hold secrets."""
    world.publish()
    body = world.board.targets.read().body
    assert b"http://" not in body
    assert {target["id"] for target in json.loads(body)["targets"]} == {
        "bank-web",
        "rail-web",
        "twitter-login",
        "twitter-web",
    }


def test_the_turn_rises_only_when_an_outage_changed(world: World) -> None:
    """It is what the stories of outages are kept by."""
    world.publish(open_now=[outage()], changed=[outage()])
    turn = world.board.turn
    world.publish(open_now=[outage()])
    assert world.board.turn == turn
    world.publish(changed=[ended("o-1", NOW_US)])
    assert world.board.turn == turn + 1
