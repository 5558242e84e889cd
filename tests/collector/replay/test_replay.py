"""Replaying a trace: the collector's own path, in simulated time, always with the same words."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline_collector.commands import main
from faultline_collector.outages import Scope, State, outage_json
from faultline_collector.replay.replay import replay
from faultline_collector.replay.trace import BadTrace, open_trace, read_results
from tests.collector.replay.traces import write_trace

FIELDS = {
    "id", "scope", "subject", "target_ids", "regions", "asns", "layer", "severity", "confidence", "onset",
    "detected_at", "confirmed_at", "resolved_at", "why",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trace with one fault."""
    return write_trace(tmp_path_factory.mktemp("traces") / "small")


def test_the_fault_is_one_resolved_outage(folder: Path) -> None:
    """The service that fails everywhere is one global outage, detected, confirmed and resolved in order."""
    (outage,) = replay(open_trace(folder))
    assert (outage.scope, outage.subject.id, outage.state) == (Scope.GLOBAL, "s1", State.RESOLVED)
    assert outage.confirmed_us is not None
    assert outage.resolved_us is not None
    assert outage.onset_us <= outage.detected_us <= outage.confirmed_us < outage.resolved_us


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with rows out of order, resends, strangers and targets that nobody knows."""
    return write_trace(tmp_path_factory.mktemp("traces") / "messy", messy=True)


def told(folder: Path, chunk: int) -> str:
    """All that is told, as it is printed."""
    return json.dumps([outage_json(o) for o in replay(open_trace(folder), chunk=chunk)])


@settings(max_examples=6, deadline=None)
@given(chunk=st.integers(60, 2000))
def test_chunks_do_not_matter(messy: Path, chunk: int) -> None:
    """Whatever is read at a time, few rows or all, the bytes are the same, out of order too."""
    assert told(messy, chunk) == told(messy, 1_000_000)


def test_what_nobody_knows_is_not_judged(messy: Path) -> None:
    """Agents and targets that the trace does not name are not judged."""
    (outage,) = replay(open_trace(messy))
    assert (outage.scope, outage.subject.id) == (Scope.GLOBAL, "s1")


def test_progress_counts_every_row(folder: Path) -> None:
    """Progress is told in rows and reaches them all."""
    trace = open_trace(folder)
    seen: list[int] = []
    replay(trace, chunk=700, progress=seen.append)
    assert sum(seen) == trace.rows
    assert sum(len(batch) for batch in read_results(trace)) == trace.rows


def test_optional_columns_are_read(tmp_path: Path) -> None:
    """A trace with attempt, family and flags tells the same."""
    (outage,) = replay(open_trace(write_trace(tmp_path / "more", extra=True)))
    assert outage.subject.id == "s1"


def test_json_has_the_fields_of_the_trace_format(folder: Path) -> None:
    """`--json` prints one object a line with every field of the format."""
    result = CliRunner().invoke(main, ["replay", str(folder), "--json"])
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert set(json.loads(line)) >= FIELDS


def test_a_table_is_told_to_people(folder: Path, tmp_path: Path) -> None:
    """Without `--json` a table with reasons is printed, with progress on request; settings are read."""
    config = tmp_path / "engine.yaml"
    config.write_text("hold_s: 10\ncosts: {service: 11}\n")
    result = CliRunner().invoke(main, ["replay", str(folder), "--progress", "--config", str(config)])
    assert result.exit_code == 0
    assert "global" in result.stdout


def _no_meta(folder: Path) -> None:
    (folder / "meta.json").unlink()


def _bad_meta(folder: Path) -> None:
    (folder / "meta.json").write_text("{")


def _other_version(folder: Path) -> None:
    (folder / "meta.json").write_text('{"version": 2}')


def _no_times(folder: Path) -> None:
    (folder / "meta.json").write_text('{"version": 1, "start": "x", "end": "y"}')


def _no_results(folder: Path) -> None:
    (folder / "results.parquet").unlink()


def _bad_results(folder: Path) -> None:
    (folder / "results.parquet").write_text("no parquet")


def _no_agents(folder: Path) -> None:
    (folder / "agents.csv").unlink()


def _binary_agents(folder: Path) -> None:
    (folder / "agents.csv").write_bytes(b"\xff\xfe\x00")


def _bad_agents(folder: Path) -> None:
    (folder / "agents.csv").write_text("agent_id,region,country,asn\na,r,XX,many\n")


def _few_columns(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"received_at": pa.array([1])}), folder / "results.parquet")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_no_meta, "is not a trace: it has no meta.json"),
        (_bad_meta, "meta.json cannot be read as JSON"),
        (_other_version, "only version 1 of the trace format is known"),
        (_no_times, "start and end must be ISO 8601 times"),
        (_no_results, "has no results.parquet"),
        (_bad_results, "results.parquet cannot be read: "),
        (_no_agents, "has no agents.csv"),
        (_binary_agents, "agents.csv cannot be read as CSV"),
        (_bad_agents, "agents.csv or targets.csv has a row that lacks or garbles"),
        (_few_columns, "results.parquet "),
    ],
)
def test_a_bad_trace_is_one_sentence(tmp_path: Path, spoil: object, sentence: str) -> None:
    """Each way in which a folder is not a trace gets its sentence and exit code 2."""
    folder = write_trace(tmp_path / "spoilt")
    assert callable(spoil)
    spoil(folder)
    result = CliRunner().invoke(main, ["replay", str(folder), "--json"])
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_bad_settings_are_refused(folder: Path, tmp_path: Path) -> None:
    """Settings that cannot be used are refused with their sentences."""
    config = tmp_path / "engine.yaml"
    config.write_text("hold_s: -1\nnonsense: 1\n")
    result = CliRunner().invoke(main, ["replay", str(folder), "--config", str(config)])
    assert result.exit_code == 2
    assert "hold_s: -1" in result.stderr


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """Results without a column that is needed are refused by its name."""
    folder = write_trace(tmp_path / "spoilt")
    _few_columns(folder)
    with pytest.raises(BadTrace, match=r"results\.parquet"):
        replay(open_trace(folder))
