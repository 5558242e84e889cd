"""Writes what every probe kind can be told as JSON Schema; --check says whether the file is current."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import faultline
from faultline_agent.probes import PROBES

PLACE = Path(faultline.__file__).parent / "probe-kinds.schema.json"
"""Lies with the common vocabulary, where the collector reads it."""


def schema() -> dict[str, object]:
    """The document: `$defs` holds the schema of each kind's settings, and which timings it gives."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of the probe kinds",
        "$defs": {
            kind: probe.model_json_schema() | {"timings": list(probe.timings)}
            for kind, probe in PROBES.items()
        },
    }


def text() -> str:
    """The document as it lies on disk."""
    return json.dumps(schema(), indent=2) + "\n"


def main(arguments: Sequence[str], place: Path = PLACE) -> None:
    """Writes the file, or checks it."""
    if "--check" not in arguments:
        place.write_text(text(), encoding="utf-8")
    elif not place.exists() or place.read_text(encoding="utf-8") != text():
        sys.exit(f"{place.name} is not current: run `python -m faultline_agent.probes.schema`")
    else:
        print(f"{place.name} is current")


if __name__ == "__main__":
    main(sys.argv[1:])
