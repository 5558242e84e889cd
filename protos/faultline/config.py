"""Reading configuration: all problems at once, each one sentence with path, value and what is allowed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


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


@dataclass(frozen=True, slots=True)
class Matching:
    """Annotates text of a form that is told in words: `Annotated[str, Matching("^[A-Z]+$", "in capitals")]`.

    In the JSON Schema the words are `errorMessage`, which editors show.
    """

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | self.schema()

    def schema(self) -> JsonSchemaValue:
        """What it adds to a JSON Schema."""
        return {"pattern": self.pattern, "errorMessage": f"is not {self.words}"}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise PydanticCustomError("form", "", {"words": f"is not {self.words}"})
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


def _plain(text: str, source: str) -> object:
    from faultline.plain import NotPlain, plain

    try:
        return plain(text)
    except NotPlain as error:
        raise BadConfig(source, [str(error)]) from error


def parse_data(data: object, model: type[Model], source: str) -> Model:
    """Reads plain data into `model`; raises BadConfig with every problem found."""
    from faultline.problems import problems_of, shown

    if not isinstance(data, Mapping):
        what = "text" if isinstance(data, str) else shown(data)  # a file of one text may be a secret's
        raise BadConfig(source, [f"the whole file: {what} is not a mapping of settings"])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadConfig(source, map(str, problems_of(error, model))) from error
