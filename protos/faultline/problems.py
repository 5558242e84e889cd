"""What is wrong with a configuration, in sentences: path, value and what is allowed."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from faultline.discretion import UNTOLD, is_secret

Path: TypeAlias = tuple[int | str, ...]
Schema: TypeAlias = Mapping[str, Any]

MOST_SHOWN = 200
"""Most characters of a value in a sentence."""

_KEY = "[key]"
"""What pydantic ends a path with when a key of a mapping is wrong, behind that key."""

_SENTENCES = {
    "missing": "is missing",
    "string_type": "{value} is not text",
    "bool_parsing": "{value} is not true or false",
    "bool_type": "{value} is not true or false",
    "int_parsing": "{value} is not a whole number",
    "int_type": "{value} is not a whole number",
    "int_from_float": "{value} is not a whole number",
    "float_parsing": "{value} is not a number",
    "float_type": "{value} is not a number",
    "list_type": "{value} is not a list",
    "tuple_type": "{value} is not a list",
    "dict_type": "{value} is not a mapping",
    "mapping_type": "{value} is not a mapping",
    "model_type": "{value} is not a mapping of settings",
    "model_attributes_type": "{value} is not a mapping of settings",
    "greater_than": "{value} is not greater than {gt}",
    "greater_than_equal": "{value} is less than {ge}",
    "less_than": "{value} is not less than {lt}",
    "less_than_equal": "{value} is greater than {le}",
    "string_too_short": "{value} has fewer than {min_length} characters",
    "string_too_long": "{value} has more than {max_length} characters",
    "too_short": "holds {actual_length}, at least {min_length} are needed",
    "too_long": "holds {actual_length}, at most {max_length} are allowed",
    "literal_error": "{value} is not one of {expected}",
    "enum": "{value} is not one of {expected}",
    "between": "{value} is not between {low} and {high}",
    "form": "{value} {words}",
    "value_error": "{error}",
    "said": "{said}",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Where something is wrong, and what."""

    path: Path
    said: str

    def __str__(self) -> str:
        where = path_text(self.path)
        return f"{where} {self.said}" if self.said.startswith("is ") else f"{where}: {self.said}"


def path_text(parts: Iterable[int | str]) -> str:
    """Writes a path as `targets[2].port`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the whole file"


def unknown_setting(name: object, known: Collection[str], of: str = "") -> str:
    """Says that a setting is not known, and which one is like it, or else which ones are known."""
    near = get_close_matches(str(name), known, 1, cutoff=0.7)
    known_are = f"; is {near[0]} meant?" if near else f"; known are {', '.join(known)}" if known else ""
    return f"is not a known setting{of and ' of '}{of}{known_are}"


def problems_of(error: ValidationError, model: type[BaseModel], above: Path = ()) -> list[Problem]:
    """What pydantic found wrong with data for `model`, which stands at the path `above`."""
    found = error.errors(include_url=False)
    return [_problem(one, model, above) for one in found if not _is_echo(one, found)]


def nested(error: ValidationError, model: type[BaseModel]) -> ValidationError:
    """The same problems, in sentences already: for raising out of a validator of the settings around."""
    return ValidationError.from_exception_data(
        error.title,
        [
            InitErrorDetails(
                type=PydanticCustomError("said", "{said}", {"said": problem.said}),
                loc=problem.path,
                input=None,
            )
            for problem in problems_of(error, model)
        ],
    )


def _is_echo(error: ErrorDetails, found: Iterable[ErrorDetails]) -> bool:
    """Whether a list is too short only because of what is wrong within it."""
    at = error["loc"]
    within = (other["loc"] for other in found if len(other["loc"]) > len(at))
    return error["type"] == "too_short" and any(loc[: len(at)] == at for loc in within)


def _problem(error: ErrorDetails, model: type[BaseModel], above: Path) -> Problem:
    path: Path = error["loc"]
    if path and path[-1] == _KEY:
        path = path[:-2]
    if error["type"] == "extra_forbidden":
        return Problem((*above, *path), unknown_setting(path[-1], _known(model, path[:-1])))
    value = shown(error.get("input"), path)
    form = _SENTENCES.get(error["type"])
    said = (
        f"{value}: {error['msg']}"
        if form is None
        else form.format_map(error.get("ctx", {}) | {"value": value})
    )
    return Problem((*above, *path), said)


def shown(value: object, path: Path = ()) -> str:
    """A value as sentences have it: not all of a long one, and no text that may open doors."""
    if isinstance(value, str) and any(is_secret(str(part)) for part in path):
        return UNTOLD
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _known(model: type[BaseModel], path: Path) -> list[str]:
    """The settings that there are at a path."""
    root = model.model_json_schema()
    found = list(_forms(root, root))
    for part in path:
        found = [form for schema in found for form in _forms(_inner(schema, part), root)]
    return [name for schema in found for name in schema.get("properties", ())]


def _inner(schema: Schema, part: int | str) -> Schema:
    if isinstance(part, int):
        return schema.get("items") or {}
    others = schema.get("additionalProperties")
    return schema.get("properties", {}).get(part) or (others if isinstance(others, Mapping) else {})


def _forms(schema: Schema, root: Schema) -> Iterator[Schema]:
    """What a schema can be, without references and alternatives."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    for form in schema.get("anyOf", [schema]):
        yield from [form] if form is schema else _forms(form, root)
