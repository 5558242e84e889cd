"""Reading configuration: all problems at once, each one sentence with path, value and what is allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema


class Settings(BaseModel):
    """Base of everything that is read from a file: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Between:
    """Annotates a number that must lie in low..high: `Annotated[int, Between(1, 65535)]`."""

    low: float
    high: float

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"minimum": self.low, "maximum": self.high}

    def _check(self, value: float) -> float:
        if not self.low <= value <= self.high:
            raise PydanticCustomError("between", "", {"low": f"{self.low:.12g}", "high": f"{self.high:.12g}"})
        return value


class BadConfig(Exception):
    """Raised when a configuration cannot be used; `problems` holds one sentence each."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


Model = TypeVar("Model", bound=BaseModel)


def read_config(path: Path, model: type[Model]) -> Model:
    """Reads a YAML file into `model`; raises BadConfig with every problem found."""
    return parse_data(read_data(path), model, source=str(path))


def read_data(path: Path) -> object:
    """Reads a YAML file as plain data, an empty one as no settings; raises BadConfig when it cannot."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadConfig(str(path), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise BadConfig(str(path), [f"is not UTF-8 text (byte {error.start})"]) from error
    return _plain(text, str(path))


def parse_config(text: str, model: type[Model], source: str) -> Model:
    """Reads YAML text into `model`; raises BadConfig with every problem found."""
    return parse_data(_plain(text, source), model, source)


class _Loader(yaml.SafeLoader):
    """YAML without its traps: a key that comes twice is refused, and only true and false are booleans."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node; raises ConstructorError where a key comes twice."""
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} comes twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _plain(text: str, source: str) -> object:
    try:
        data = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise BadConfig(source, [_yaml_problem(error)]) from error
    return {} if data is None else data


def parse_data(data: object, model: type[Model], source: str) -> Model:
    """Reads plain data into `model`; raises BadConfig with every problem found."""
    if not isinstance(data, Mapping):
        raise BadConfig(source, [f"the whole file: {data!r} is not a mapping of settings"])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadConfig(source, (sentence(e) for e in error.errors(include_url=False))) from error


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be understood"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"{where}not YAML: {problem}"


def path_text(parts: Iterable[int | str]) -> str:
    """Writes a path as `targets[2].port`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the whole file"


_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is not a known setting",
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
    "string_pattern_mismatch": "{value} does not match {pattern}",
    "too_short": "holds {actual_length}, at least {min_length} are needed",
    "too_long": "holds {actual_length}, at most {max_length} are allowed",
    "literal_error": "{value} is not one of {expected}",
    "enum": "{value} is not one of {expected}",
    "between": "{value} is not between {low} and {high}",
    "value_error": "{error}",
}


def sentence(error: ErrorDetails) -> str:
    """One problem found by pydantic as one sentence."""
    context: dict[str, Any] = dict(error.get("ctx") or {})
    context["value"] = repr(error.get("input"))
    form = _SENTENCES.get(error["type"])
    said = form.format(**context) if form is not None else f"{context['value']}: {error['msg']}"
    path = path_text(error["loc"])
    return f"{path} {said}" if said.startswith("is ") else f"{path}: {said}"
