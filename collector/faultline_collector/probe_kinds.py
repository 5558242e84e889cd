"""What agents can probe, as data: the JSON Schema that the agent's table of probes generates."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from faultline.columns import TOTAL
from faultline.problems import path_text, shown, unknown_setting

SCHEMA_NAME = "probe-kinds.schema.json"

_FORMATS = FormatChecker(formats=["regex", "ipv4", "ipv6"])
_DURATION = r"^\d+(\.\d+)?(ms|s|m|h|d)$"
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    """As ECMA-262 has it: `$` is the end, also where a line ends there."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


@cache
def kinds_schema() -> dict[str, Any]:
    """The schema: `$defs` holds one object schema a kind."""
    schema: dict[str, Any] = json.loads((files("faultline") / SCHEMA_NAME).read_text(encoding="utf-8"))
    return schema


@cache
def _validator(kind: str) -> Any:
    return _Validator(kinds_schema() | {"$ref": f"#/$defs/{kind}"}, format_checker=_FORMATS)


def kind_problems(
    kind: str, settings: Mapping[str, object], path: tuple[int | str, ...], common: Collection[str] = ()
) -> Iterator[str]:
    """What is wrong with a target's kind and the settings of that kind: one sentence each.

    `common` are the settings that every target has; somebody may have meant one of them.
    """
    schema = kinds_schema()
    if kind not in kinds(schema):
        yield f"{path_text((*path, 'kind'))}: {kind!r} is not one of {', '.join(kinds(schema))}"
        return
    errors = sorted(
        _validator(kind).iter_errors(settings), key=lambda e: [str(part) for part in e.absolute_path]
    )
    listed = {tuple(e.absolute_path) for e in errors if e.validator == "enum"}
    told = [e for e in errors if e.validator != "type" or tuple(e.absolute_path) not in listed]
    yield from dict.fromkeys(said for error in told for said in _sentences(error, path, kind, common))


def kinds(schema: Mapping[str, Any]) -> list[str]:
    """The names of the kinds."""
    return list(schema["$defs"])


def timings() -> list[str]:
    """The names of the timings that any kind gives; the total comes last."""
    named = dict.fromkeys(name for kind in kinds_schema()["$defs"].values() for name in kind["timings"])
    return [*(name for name in named if name != TOTAL), TOTAL]


def _sentences(
    error: ValidationError, path: tuple[int | str, ...], kind: str, common: Collection[str]
) -> Iterable[str]:
    where = (*path, *error.absolute_path)
    instance: Any = error.instance
    rule: Any = error.validator_value
    schema: Any = error.schema
    if error.validator in ("anyOf", "pattern") and "errorMessage" in schema:
        return [f"{path_text(where)}: {shown(instance, where)} {schema['errorMessage']}"]
    if error.validator == "anyOf" and error.context:
        return [f"{path_text(where)}: {shown(instance, where)} is not {_type_text(_alternatives(error))}"]
    if error.validator == "required":
        return [f"{path_text((*where, name))} is missing" for name in rule if name not in instance]
    if error.validator == "additionalProperties":
        known = [*schema.get("properties", {}), *common]
        return [
            f"{path_text((*where, name))} {unknown_setting(name, known, kind)}"
            for name in instance
            if name not in known
        ]
    said = _said(str(error.validator), shown(instance, where), rule, schema, error.message)
    return [f"{path_text(where)}: {said}"]


def _alternatives(error: ValidationError) -> list[str]:
    return [inner.validator_value for inner in error.context or () if isinstance(inner.validator_value, str)]


def _said(keyword: str, value: str, rule: Any, schema: Any, message: str) -> str:
    if keyword in ("minimum", "maximum") and "minimum" in schema and "maximum" in schema:
        return f"{value} is not between {schema['minimum']:g} and {schema['maximum']:g}"
    if keyword == "pattern" and rule == _DURATION:
        return f"{value} is not a duration like 500ms, 30s, 5m, 2h or 7d"
    form = _FORMS.get(keyword)
    return form(value, rule) if form is not None else f"{value}: {message}"


_FORMS: dict[str, Callable[[str, Any], str]] = {
    "type": lambda value, allowed: f"{value} is not {_type_text(allowed)}",
    "enum": lambda value, allowed: f"{value} is not one of {', '.join(repr(item) for item in allowed)}",
    "const": lambda value, allowed: f"{value} is not {allowed!r}",
    "minimum": lambda value, allowed: f"{value} is less than {allowed}",
    "maximum": lambda value, allowed: f"{value} is greater than {allowed}",
    "exclusiveMinimum": lambda value, allowed: f"{value} is not greater than {allowed}",
    "exclusiveMaximum": lambda value, allowed: f"{value} is not less than {allowed}",
    "minLength": lambda value, allowed: f"{value} has fewer than {allowed} characters",
    "maxLength": lambda value, allowed: f"{value} has more than {allowed} characters",
    "format": lambda value, _: f"{value} is not a regular expression",
    "maxProperties": lambda value, allowed: f"{value} holds more than {allowed}",
    "pattern": lambda value, allowed: f"{value} does not match {allowed}",
    "minItems": lambda value, allowed: f"{value} holds fewer than {allowed}",
    "maxItems": lambda value, allowed: f"{value} holds more than {allowed}",
}


def _type_text(allowed: str | list[str]) -> str:
    names = [allowed] if isinstance(allowed, str) else allowed
    return " or ".join(_TYPES.get(name, name) for name in names)
