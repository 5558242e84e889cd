"""Size of the page as a browser loads it at first."""

import gzip
from pathlib import Path

from tests.bench.rows import Row

PAGE = Path("collector/faultline_collector/api/page")
PARTS = {"script": ("*.html", "**/*.js"), "style": ("**/*.css",), "atlas": ("**/*.json",)}
LETTERS = "assets/*latin-wght*.woff2"


def run() -> list[Row]:
    """Bytes of each part with gzip, beside its plain size; letters are packed already."""
    rows = [
        _part(name, [path for form in forms for path in PAGE.glob(form)]) for name, forms in PARTS.items()
    ]
    letters = sum(path.stat().st_size for path in PAGE.glob(LETTERS))
    return [*rows, Row(name="letters", value=letters, unit="bytes")]


def _part(name: str, files: list[Path]) -> Row:
    plain = sum(path.stat().st_size for path in files)
    packed = sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)
    return Row(name=name, value=packed, unit="bytes", peer="plain", peer_value=plain, ratio=packed / plain)
