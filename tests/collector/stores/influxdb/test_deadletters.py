"""Lines that InfluxDB refuses for good, on disk and counted; without a server."""

import json
from pathlib import Path

from faultline_collector.stores.influxdb.deadletters import DeadLetters


def test_dead_letters_are_bounded_and_the_newest_are_kept(tmp_path: Path) -> None:
    """Two files of about so many bytes; whatever has gone, all are counted."""
    letters = DeadLetters(tmp_path / "refused.jsonl", most_bytes=1000)
    for number in range(100):
        letters.add("retention", "too old", 1, [b"results total_us=%di 1\n" % number])
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["refused.jsonl", "refused.old"]
    assert sum(file.stat().st_size for file in files) < 2 * 1200
    kept = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert {one["reason"] for one in kept} == {"retention"}
    assert "results total_us=99i 1" in {one["line"] for one in kept}
    assert letters.counts() == {"retention": 100}


def test_what_cannot_be_written_is_counted_all_the_same(tmp_path: Path) -> None:
    """A full disk must not hold up what InfluxDB takes."""
    letters = DeadLetters(tmp_path / "missing" / "refused.jsonl")
    letters.add("malformed", "no field", 2, [b"a\n", b"b\n"])
    assert letters.counts() == {"malformed": 2}
