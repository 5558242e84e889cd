"""The page docs/settings.md: every setting of agent, collector and probe kinds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, TypeAdapter

from faultline.durations import format_duration
from faultline_agent.config import AgentConfig
from faultline_agent.probes import PROBES
from faultline_collector.config import CollectorConfig
from faultline_collector.notify.notifiers import NOTIFIERS, notifier_class

HEAD = """# Settings

Made by `make protos` from the models that read the files; unknown settings are refused. A duration is written
as `500ms`, `30s`, `5m`, `2h` or `7d`.
"""

Schema = Mapping[str, Any]


def resolve(schema: Schema, root: Schema) -> Schema:
    """Follows a $ref, and picks the one form of an optional setting that is not null."""
    if "$ref" in schema:
        return _over(resolve(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root), schema, "$ref")
    forms = [form for form in schema.get("anyOf", ()) if form.get("type") != "null"]
    return _over(resolve(forms[0], root), schema, "anyOf") if len(forms) == 1 else schema


def _over(found: Schema, schema: Schema, leave: str) -> Schema:
    return {**found, **{key: value for key, value in schema.items() if key != leave}}


def kind_of(schema: Schema, root: Schema) -> str:
    """What a setting takes, in a few words."""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema and "type" not in schema:
        return " or ".join(kind_of(resolve(form, root), root) for form in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {kind_of(resolve(schema.get('items', {}), root), root)}"
    if str(schema.get("pattern", "")).endswith("(ms|s|m|h|d)$"):
        return "duration"
    return str(schema.get("title", "settings") if "properties" in schema else schema.get("type", "any"))


def default_of(name: str, field: Schema, root: Schema, needed: Sequence[str]) -> str:
    """The default of a setting as one would write it; "needed" where there is none."""
    if name in needed:
        return "needed"
    value = field.get("default")
    if value is None or value == "" or isinstance(value, dict):
        return ""
    if kind_of(field, root) == "duration":
        value = format_duration(TypeAdapter(timedelta).validate_python(value))
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def rows(schema: Schema, root: Schema, path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Path, kind, default and description of every setting below a schema."""
    for name, raw in schema.get("properties", {}).items():
        field = resolve(raw, root)
        here = f"{path}.{name}" if path else name
        default = default_of(name, field, root, schema.get("required", ()))
        yield here, kind_of(field, root), default, field.get("description", "")
        is_list = field.get("type") == "array"
        inner = resolve(field.get("items", {}), root) if is_list else field
        if "properties" in inner:
            yield from rows(inner, root, f"{here}[]" if is_list else here)


def table(model: type[BaseModel]) -> str:
    """All settings of a model as a Markdown table."""
    schema = model.model_json_schema()
    lines = ["| setting | takes | default | what it does |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{path}` | {kind} | {default} | {text} |".replace("\n", " ")
        for path, kind, default, text in rows(schema, schema)
    ]
    return "\n".join(lines)


def notifier(kind: str) -> Iterator[str]:
    """The settings of a kind of receiver."""
    takes = notifier_class(kind).takes
    yield f"\n### Receivers of kind `{kind}`\n\n{takes.__doc__}\n"
    yield table(takes)


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## The collector: `collector.yaml`\n", table(CollectorConfig)]
    parts += [text for kind in NOTIFIERS for text in notifier(kind)]
    parts += ["\n## The agent: `agent.yaml`\n", table(AgentConfig), "\n## Probe kinds\n"]
    for name, kind in PROBES.items():
        timings = ", ".join(f"`{timing}`" for timing in kind.timings)
        parts += [
            f"### `{name}`\n",
            (kind.__doc__ or "").strip().split("\n\n")[0],
            f"\nTimings: {timings}.\n",
            table(kind),
            "",
        ]
    return "\n".join(parts).rstrip() + "\n"
