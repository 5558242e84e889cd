"""Size of the page as a browser loads it."""

import gzip
from pathlib import Path

from tests.bench.rows import Row

PAGE = Path("collector/faultline_collector/api/page")


def run() -> list[Row]:
    """Bytes of every file that the page consists of, plain and with gzip."""
    files = [path for path in PAGE.rglob("*") if path.suffix in (".html", ".js", ".css")]
    plain = sum(path.stat().st_size for path in files)
    packed = sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)
    return [
        Row(name="files", value=len(files), unit="files"),
        Row(name="gzip", value=packed, unit="bytes", peer="plain", peer_value=plain, ratio=packed / plain),
    ]
