"""Exports: what stands in the files, and that there are no half ones."""

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from faultline.outcomes import Outcome
from faultline_collector.results import ResultBatch
from faultline_collector.stores.store import ResultQuery, StoreError
from tests.collector.api.serving import Served
from tests.collector.api.worlds import MINUTE_US, NOW_US, results
from tests.collector.commands.conftest import Faultline
from tests.collector.commands.terminal import on_terminal

OK, HTTP = Outcome.OK, Outcome.HTTP


@pytest.fixture
def filled(served: Served) -> Served:
    """Results of two agents within the last hour."""
    served.world.keep(
        results(OK, HTTP, OK), results(OK, agent="us-1", target="bank-web", start_us=NOW_US - 5 * MINUTE_US)
    )
    served.publish()
    return served


def read(path: Path) -> list[dict[str, object]]:
    """A Parquet file, row by row; times as text."""
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(path))
        texts = ("VARCHAR" if "TIME" in str(kind) else str(kind) for kind in found.types)
        columns = [f'"{n}"::{kind} AS "{n}"' for n, kind in zip(found.columns, texts, strict=True)]
        rows = found.project(", ".join(columns)).fetchall()
        return [dict(zip(found.columns, row, strict=True)) for row in rows]


def test_results_are_exported_as_csv_by_receipt(filled: Served, faultline: Faultline, tmp_path: Path) -> None:
    """All columns, a line of names first."""
    path = tmp_path / "results.csv"
    run = faultline("export", "results", "--output", str(path))
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", f"{path}: 4 rows\n")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(row["agent"], row["sequence"], row["outcome"]) for row in rows] == [
        ("west-1", "1", "ok"), ("west-1", "2", "http"), ("west-1", "3", "ok"), ("us-1", "1", "ok"),
    ]  # fmt: skip
    assert rows[1]["detail"] == "status 503 is not 200"
    assert (rows[0]["total_ms"], rows[0]["tls_ms"]) == ("1.5", "")


def test_results_are_exported_as_parquet_with_types(
    filled: Served, faultline: Faultline, tmp_path: Path
) -> None:
    """The same rows, times as times and numbers as numbers."""
    path = tmp_path / "results.parquet"
    assert faultline("export", "results", "-o", str(path), "--service", "twitter").exit_code == 0
    rows = read(path)
    assert [row["sequence"] for row in rows] == [1, 2, 3]
    assert str(rows[0]["started_at"]).startswith("2027-01-15 07:30:00")
    assert (rows[1]["status"], rows[1]["saturated"], rows[0]["detail"]) == (503, False, None)
    assert (rows[0]["total_ms"], rows[0]["tls_ms"]) == (1.5, None)


def test_roll_ups_are_exported_with_percentiles(filled: Served, faultline: Faultline, tmp_path: Path) -> None:
    """A row for each target, place and family in which there is a result; whole cells at the edges."""
    path = tmp_path / "rollups.parquet"
    assert faultline("export", "rollups", "-o", str(path), "--width", "1h", "--since", "30m").exit_code == 0
    rows = read(path)
    assert [(row["target"], row["region"], row["network"], row["family"]) for row in rows] == [
        ("bank-web", "us-west", 7018, 4),
        ("twitter-web", "in-west", 55836, 4),
    ]
    assert (rows[1]["ok"], rows[1]["http"], rows[1]["timed"], rows[1]["known_s"]) == (2, 1, 2, 60.0)
    assert rows[1]["p50_ms"] == pytest.approx(1.5, rel=1 / 64)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("results", "-o", "{}/x.txt"), "{}/x.txt: its name does not say the format; --format parquet or"),
        (("results", "-o", "{}/no/x.csv"), "{}/no/x.csv cannot be written: No such file or directory\n"),
        (("results", "-o", "{}/x.csv", "--agent", "x"), "agent: 'x' is not known; known are east-1, us-1"),
        (("rollups", "-o", "{}/x.csv", "--width", "2m"), "width: '2m' is not a width of roll-ups, which is"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_no_file(
    filled: Served, faultline: Faultline, tmp_path: Path, asked: tuple[str, ...], said: str
) -> None:
    """One sentence, exit code 2."""
    run = faultline("export", *(word.format(tmp_path) for word in asked))
    assert run.exit_code == 2
    assert run.stderr.startswith(said.format(tmp_path))
    assert not [path for path in tmp_path.iterdir() if "x." in path.name]


def test_an_export_that_breaks_off_leaves_the_old_file(
    filled: Served, faultline: Faultline, tmp_path: Path
) -> None:
    """The store fails after the first page; half an export would be taken for a whole one."""
    path = tmp_path / "results.csv"
    path.write_text("old")
    store = filled.world.store
    pages = store.results

    def broken(query: ResultQuery) -> Iterator[ResultBatch]:
        yield from pages(query)
        raise StoreError("the disk is gone")

    store.results = broken  # type: ignore[method-assign]
    run = faultline("export", "results", "-o", str(path))
    assert (run.exit_code, run.stderr) == (2, "the disk is gone\n")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir() if "results." in entry.name] == ["results.csv"]


def test_an_export_shows_how_far_it_is_on_a_terminal(filled: Served, tmp_path: Path) -> None:
    """A bar, then the number of rows."""
    with on_terminal("export", "results", "-o", str(tmp_path / "x.csv"), url=filled.url) as started:
        printed = started.text()
    assert "exporting results" in printed
    assert "x.csv: 4 rows" in printed.replace("\n", "")
