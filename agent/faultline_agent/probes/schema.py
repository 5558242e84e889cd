"""What every probe kind can be told, as JSON Schema."""

import json

from faultline_agent.probes import PROBES


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
