"""What of a trace is admitted and stored, and what of a window is shown: the parts without an engine."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from faultline.outcomes import Outcome
from faultline_collector.fleet import Fleet
from faultline_collector.outages import State, outage_json
from faultline_collector.replay.admission import Admission
from faultline_collector.replay.replay import replay
from faultline_collector.replay.storing import Storing, ranges_of
from faultline_collector.replay.told import read_outage, within
from faultline_collector.replay.trace import BadTrace, open_trace, read_results
from faultline_collector.replay.window import Window
from faultline_collector.results import ResultBatch
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import ReceivedRange
from tests.collector.api.worlds import MINUTE_US, NOW_US, ended, outage, results
from tests.collector.replay.traces import write_trace


def numbered(*sequence: int, source: int = 0) -> ResultBatch:
    """Results with these sequences, in order of receipt."""
    made = results(*[Outcome.OK] * len(sequence))
    return replace(
        made, sequence=np.array(sequence, np.uint64), source=np.full(len(sequence), source, np.int32)
    )


def test_a_resend_is_admitted_once_within_a_chunk_and_across_chunks() -> None:
    """Whatever the order; gaps stay open for what comes late."""
    admission = Admission(1)
    assert admission.admit(numbered(1, 2, 2, 5, 1)).sequence.tolist() == [1, 2, 5]
    assert admission.admit(numbered(2, 3, 4, 5, 6)).sequence.tolist() == [3, 4, 6]


def test_nothing_is_admitted_of_a_stranger() -> None:
    """Not even remembered: a chunk of strangers alone is empty."""
    assert len(Admission(1).admit(numbered(1, 2, source=-1))) == 0


def test_ranges_say_what_results_hold() -> None:
    """In as few runs as can be; nothing has none."""
    source = results(Outcome.OK).sources[0]
    assert ranges_of(numbered(3, 1, 2, 7)) == [ReceivedRange(source, 1, 3), ReceivedRange(source, 7, 7)]
    assert ranges_of(numbered(1).select(slice(0, 0))) == []


def test_nothing_is_stored_of_nothing() -> None:
    """An empty chunk is no append."""
    store = MemoryStore()
    storing = Storing(store, Fleet())
    storing(numbered(1).select(slice(0, 0)))
    assert (storing.offered, store.received()) == (0, {})


def test_a_window_shows_what_was_told_as_it_stood_at_its_end() -> None:
    """What ended before is left out, what ended after was open, what was told after was not told yet."""
    window = Window(NOW_US - 30 * MINUTE_US, NOW_US - 5 * MINUTE_US)
    before = ended("before", NOW_US - 31 * MINUTE_US)
    inside = ended("inside", NOW_US - 10 * MINUTE_US)
    across = replace(ended("across", NOW_US - 4 * MINUTE_US), detected_us=NOW_US - 9 * MINUTE_US)
    vague = replace(across, id="vague", confirmed_us=None)
    shown = within([outage(), vague, across, inside, before], window)
    assert [one.id for one in shown] == ["inside", "across", "vague"]
    assert [one.state for one in shown] == [State.RESOLVED, State.CONFIRMED, State.SUSPECTED]
    assert [one.resolved_us is None for one in shown] == [False, True, True]


def test_an_outage_is_read_as_the_api_tells_it() -> None:
    """All but its evidence, to the millisecond."""
    for told in (outage(), ended("o-2", NOW_US), outage(confirmed_us=None, family=4)):
        assert read_outage(outage_json(told)) == replace(told, evidence={})


def test_a_trace_without_results_tells_nothing(tmp_path: Path) -> None:
    """It is a trace all the same."""
    folder = write_trace(tmp_path / "empty")
    pq.write_table(pq.read_table(folder / "results.parquet").slice(0, 0), folder / "results.parquet")
    assert replay(open_trace(folder)) == []


@pytest.mark.parametrize(
    ("column", "said"), [("seq", "lacks the column seq"), ("received_at", "lacks the column received_at")]
)
def test_a_column_that_is_missing_is_named(tmp_path: Path, column: str, said: str) -> None:
    """The first one that is needed."""
    folder = write_trace(tmp_path / "spoilt")
    file = folder / "results.parquet"
    pq.write_table(pq.read_table(file).drop_columns([column]), file)
    with pytest.raises(BadTrace, match=said):
        next(read_results(open_trace(folder)))
    file.write_bytes(b"PAR1 no more")
    with pytest.raises(BadTrace, match="cannot be read: "):
        next(read_results(open_trace(folder)))
