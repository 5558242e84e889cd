"""Results as line protocol, and records as results again; without a server."""

import csv
import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.results import ResultBatch
from faultline_collector.stores.influxdb.bytetable import decimals, lines
from faultline_collector.stores.influxdb.lines import plain, result_lines, times_ns, unplain
from faultline_collector.stores.influxdb.reading import flux_text, flux_time, records
from faultline_collector.stores.influxdb.roles import Role
from faultline_collector.stores.influxdb.transitions import Transitions, transition_lines
from faultline_collector.stores.places import placed, places_of
from faultline_collector.stores.store import StoreError
from tests.collector.stores.rows import DAY_US, FLEET, NOON_US, SECOND_US, Row, batch_of, many


def written(results: ResultBatch) -> list[str]:
    """The lines of results of the fleet."""
    roles = [Role("twitter", "web", "cdn")] * len(results.target_ids)
    body = b"".join(piece.text for piece in result_lines(placed(results, places_of(FLEET)), roles))
    return body.decode().splitlines()


def test_a_line_says_all_of_a_result() -> None:
    """Tags by name, fields only where there is something, the whole result as text, nanoseconds."""
    row = Row(1234, detail='say "no"', outcome=3, status=0, offset_us=-5, timings_us={"total": 9, "dns": 0})
    assert written(batch_of([row])) == [
        "results,agent=in-west-1,component=web,family=4,network=55836,provider=cdn,region=in-west,service=twitter,"
        'spool=s1,target=twitter-web outcome="connect",dns_us=0i,total_us=9i,detail="say \\"no\\"",'
        f'record="1234;{NOON_US + 5} -5 {NOON_US + SECOND_US} 0 3 0 4 0 0 9;dns total;say \\"no\\"" '
        f"{NOON_US}000234".replace("000234", "234")
    ]  # fmt: skip


def test_what_came_late_is_in_another_field() -> None:
    """So that whoever reads in order of receipt finds it without reading everything."""
    late = Row(1, received_us=60 * SECOND_US + 1)
    early = Row(2, received_us=-6 * SECOND_US)
    fields = [re.findall(r"(record|backlog)=", line) for line in written(batch_of([Row(3), late, early]))]
    assert fields == [["record"], ["backlog"], ["backlog"]]


def test_no_two_results_share_a_point() -> None:
    """Neighbours differ in the nanosecond; where a clock stood still for long, a tag tells them apart."""
    points = [re.sub(r" outcome=.* ", " ", line) for line in written(many(1, 2500))]
    assert len(set(points)) == 2500
    assert sum("twin=" in point for point in points) == 1500


@pytest.mark.parametrize("status", [404, 65535], ids=["near", "far apart"])
def test_results_of_any_sorts_keep_their_own(status: int) -> None:
    """However far apart attempts, outcomes and status are."""
    rows = [Row(1), Row(2, outcome=7, status=0, attempt=1, flags=1), Row(3, outcome=5, status=status), Row(4)]
    told = {
        int(found[1]): (found[0], found[2])
        for line in written(batch_of(rows))
        for found in [re.findall(r'outcome="(\w+)".*record="(\d+);\d+ 0 \d+ ([\d ]+);', line)[0]]
    }
    assert told == {
        1: ("ok", "0 1 200 4 0 5000"),
        2: ("timeout", "1 7 0 4 1 5000"),
        3: ("http", f"0 5 {status} 4 0 5000"),
        4: ("ok", "0 1 200 4 0 5000"),
    }


def test_a_resend_lands_on_the_same_point() -> None:
    """The place of a result depends on itself alone."""
    alone, among = written(batch_of([Row(7)])), written(batch_of([Row(i) for i in range(1, 20)]))
    assert alone[0] in among


def test_control_characters_come_back() -> None:
    """They do not stand in lines, where a newline would end one."""
    for text in ("plain", "a\\b\n\x00\x7f", "\\000a", "день 🔥"):
        assert unplain(plain(text)) == text
        assert plain(text).isprintable()


def test_an_id_that_cannot_be_a_tag_is_refused() -> None:
    """Once and for all, with a sentence."""
    with pytest.raises(StoreError, match="cannot be a tag of InfluxDB") as caught:
        written(batch_of([Row(1, agent="a\nb")]))
    assert caught.value.permanent


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=20))
def test_decimals_are_those_of_python(numbers: list[int]) -> None:
    """All signed numbers but the lowest."""
    column = np.array(numbers, np.int64)
    assert lines(len(column), decimals(column)) == b"".join(b"%d\n" % number for number in numbers)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_decimals_of_unsigned_numbers_are_those_of_python(numbers: list[int]) -> None:
    """All of them."""
    column = np.array(numbers, np.uint64)
    assert lines(len(column), decimals(column)) == b"".join(b"%d\n" % number for number in numbers)


def test_an_error_in_an_answer_is_raised() -> None:
    """InfluxDB may fail after it has begun to answer."""
    answer = "\r\n,error,reference\r\n,out of memory,12\r\n"
    with pytest.raises(StoreError, match=r"InfluxDB cannot answer: .*out of memory"):
        records(rows_of_csv(answer))
    with pytest.raises(StoreError, match="it does not say why"):
        records(rows_of_csv("\r\n,error,reference\r\n"))


def test_flux_literals_hold_any_text_and_time() -> None:
    """No id leaves its quotes, no time is beyond what InfluxDB can hold."""
    assert flux_text('a"b\\${c}') == '"a\\"b\\\\\\${c}"'
    assert flux_time(NOON_US) == "2026-11-22T12:00:00.000000Z"
    assert (flux_time(-(2**62))[:4], flux_time(2**62)[:4]) == ("1677", "2262")


def outage(state: State, **more: object) -> Outage:
    """An outage in a state."""
    told: dict[str, object] = {
        "id": "o-1", "state": state, "scope": Scope.REGIONAL, "subject": Subject("service", "twitter"),
        "target_ids": ("twitter-web",), "regions": ("in-west",), "asns": (55836,), "layer": "connect",
        "severity": "major", "confidence": 0.9, "onset_us": NOON_US, "onset_after_us": NOON_US,
        "onset_before_us": NOON_US, "detected_us": NOON_US + 1,
        "why": "all of in-west", "changed_us": NOON_US + 9,
    }  # fmt: skip
    return Outage(**(told | more))  # type: ignore[arg-type]


def test_transitions_are_written_once_each() -> None:
    """An outage that changed in other ways is not a transition; a full queue counts what it leaves out."""
    transitions = Transitions()
    transitions.hear([outage(State.SUSPECTED), outage(State.SUSPECTED, why="more")])
    transitions.hear([outage(State.CONFIRMED, confirmed_us=NOON_US + 5)])
    waiting = transitions.waiting()
    assert [one.state for one in waiting] == [State.SUSPECTED, State.CONFIRMED]
    transitions.written(waiting)
    assert transitions.waiting() == ()
    transitions.hear([outage(State.SUSPECTED, id=f"o-{i}") for i in range(10_003)])
    assert (len(transitions.waiting()), transitions.left_out) == (10_000, 3)


def test_a_transition_stands_where_it_happened() -> None:
    """Title, text and tags for an annotation, at the time of the state."""
    line = transition_lines([outage(State.RESOLVED, resolved_us=NOON_US + DAY_US)]).decode()
    assert line.startswith("outages,kind=service,scope=regional,state=resolved,subject=twitter id=")
    assert 'title="service twitter: resolved",text="all of in-west"' in line
    assert int(line.split()[-1]) // 1000 == NOON_US + DAY_US


def test_times_keep_microseconds() -> None:
    """The start by the collector's clock can be read off the timestamp."""
    results = batch_of([Row(5, at_us=17, offset_us=3)])
    assert (times_ns(results) // 1000 == results.judged_us).all()


def rows_of_csv(text: str) -> Iterator[list[str]]:
    """Rows as the server's answer gives them."""
    return csv.reader(io.StringIO(text, newline=""))
