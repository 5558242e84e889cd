"""The JSON Schema of the probe kinds, from which the collector knows them."""

import json
from typing import Any

import jsonschema
import pytest

from faultline_agent.probes import PROBES, schema

GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "http": ("http", {"url": "https://x.example/", "statuses": [200, "3xx"], "family": "6"}),
    "tcp": ("tcp", {"host": "x.example", "port": 25, "expect": "220"}),
    "dns": ("dns", {"name": "x.example", "resolvers": ["192.0.2.53:53"], "answers": ["192.0.2.1"]}),
}

BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "no url": ("http", {}),
    "another scheme": ("http", {"url": "ftp://x/"}),
    "status out of range": ("http", {"url": "http://x/", "statuses": [99]}),
    "unknown setting": ("http", {"url": "http://x/", "urll": 1}),
    "port out of range": ("tcp", {"host": "x", "port": 70000}),
    "record type": ("dns", {"name": "x", "type": "MX"}),
}


def kinds() -> dict[str, Any]:
    """The schemas, by kind."""
    found: dict[str, Any] = json.loads(schema.text())["$defs"]
    return found


@pytest.mark.parametrize("kind", PROBES)
def test_every_kind_has_a_valid_schema_on_its_own(kind: str) -> None:
    """Each can be used without the document around it, and every setting is described."""
    jsonschema.Draft202012Validator.check_schema(kinds()[kind])
    assert "$ref" not in json.dumps(kinds()[kind])
    assert all(field.get("description") for field in kinds()[kind]["properties"].values())


@pytest.mark.parametrize("kind", PROBES)
def test_every_kind_says_which_timings_it_gives(kind: str) -> None:
    """So that the collector can refuse a question about any other."""
    assert kinds()[kind]["timings"] == list(PROBES[kind].timings)


@pytest.mark.parametrize(("kind", "settings"), GOOD.values(), ids=GOOD.keys())
def test_settings_that_the_agent_takes_pass_the_schema(kind: str, settings: dict[str, Any]) -> None:
    """Both say yes."""
    PROBES[kind].model_validate(settings)
    jsonschema.validate(settings, kinds()[kind])


@pytest.mark.parametrize(("kind", "settings"), BAD.values(), ids=BAD.keys())
def test_settings_that_the_agent_refuses_fail_the_schema(kind: str, settings: dict[str, Any]) -> None:
    """Both say no."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(settings, kinds()[kind])
    with pytest.raises(ValueError, match="validation error"):
        PROBES[kind].model_validate(settings)
