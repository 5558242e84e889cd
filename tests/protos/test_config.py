"""Reading configuration: every problem is one sentence, and all of them come at once."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field, ValidationError, field_validator

from faultline.config import BadConfig, Between, Matching, Settings, parse_config, parse_data, read_config
from faultline.problems import nested, path_text, problems_of


class Colour(Enum):
    """A closed set."""

    RED = "red"


def _refuse(text: str) -> str:
    raise ValueError(f"{text!r} is never right")


class Inner(Settings):
    """Settings within settings."""

    port: Annotated[int, Between(1, 65535)] = 1


class Everything(Settings):
    """One setting of each kind."""

    text: Annotated[str, Field(min_length=2, max_length=4)] = "ab"
    form: Annotated[str, Matching("^[a-z]*$", "in small letters")] = ""
    maybe: Inner | None = None
    whole: int = 1
    number: float = 1.0
    flag: bool = True
    choice: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    few: Annotated[list[int], Field(min_length=1, max_length=2)] = Field(default=[1])
    named: dict[Annotated[str, Field(min_length=1)], Inner] = Field(default={})
    small: Annotated[int, Field(gt=0, lt=10)] = 1
    limited: Annotated[int, Field(ge=0, le=10)] = 1
    never: Annotated[str, AfterValidator(_refuse)] = ""


BAD = {
    "tex: 1": "tex is not a known setting; is text meant?",
    "inner: {zzz: 1}": "inner.zzz is not a known setting; known are port",
    "many: [{por: 1}]": "many[0].por is not a known setting; is port meant?",
    "named: {x: {por: 1}}": "named.x.por is not a known setting; is port meant?",
    "maybe: {por: 1}": "maybe.por is not a known setting; is port meant?",
    "text: 5": "text: 5 is not text",
    "text: a": "text: 'a' has fewer than 2 characters",
    "text: abcde": "text: 'abcde' has more than 4 characters",
    "form: AB": "form: 'AB' is not in small letters",
    'form: "ab\\n"': "form: 'ab\\n' is not in small letters",
    "whole: x": "whole: 'x' is not a whole number",
    "whole: 1.5": "whole: 1.5 is not a whole number",
    "whole: []": "whole: [] is not a whole number",
    "number: x": "number: 'x' is not a number",
    "number: []": "number: [] is not a number",
    "flag: maybe": "flag: 'maybe' is not true or false",
    "flag: []": "flag: [] is not true or false",
    "choice: c": "choice: 'c' is not one of 'a' or 'b'",
    "colour: blue": "colour: 'blue' is not one of 'red'",
    "inner: 5": "inner: 5 is not a mapping of settings",
    "inner: {port: 70000}": "inner.port: 70000 is not between 1 and 65535",
    "many: 5": "many: 5 is not a list",
    "many: [{}, {port: 0}]": "many[1].port: 0 is not between 1 and 65535",
    "few: {}": "few: {} is not a list",
    "few: []": "few: holds 0, at least 1 are needed",
    "few: [1, 2, 3]": "few: holds 3, at most 2 are allowed",
    "named: 5": "named: 5 is not a mapping",
    "named: {x: {port: 0}}": "named.x.port: 0 is not between 1 and 65535",
    "few: [x]": "few[0]: 'x' is not a whole number",
    "named: {'': {}}": "named: '' has fewer than 1 characters",
    "small: 0": "small: 0 is not greater than 0",
    "small: 10": "small: 10 is not less than 10",
    "limited: -1": "limited: -1 is less than 0",
    "limited: 11": "limited: 11 is greater than 10",
    "never: x": "never: 'x' is never right",
    "a: b: c": "line 1, column 5: not YAML: mapping values are not allowed here",
    "named: {1: {}}": "line 1, column 9: the key '1' is not text; in quotes it is",
    "named: {? [a] : {}}": "line 1, column 11: a key is not text; in quotes it is",
    "whole: 1\nwhole: 2": "line 2, column 1: the key 'whole' comes twice",
    "text: 2026-13-45": "line 1, column 7: '2026-13-45' is no timestamp; in quotes it is text",
    "whole: !!int x": "line 1, column 8: 'x' is no int; in quotes it is text",
    f"whole: {'9' * 5000}": f"line 1, column 8: '{'9' * 40}' is no int; in quotes it is text",
    "[" * 1000: "not YAML that can be read: it is nested too deep",
    "5": "the whole file: 5 is not a mapping of settings",
}
"""Bad texts, and the sentence about each."""


@pytest.mark.parametrize("text", BAD, ids=[text[:40] for text in BAD])
def test_problem_is_one_sentence(text: str) -> None:
    """With path, value and what is allowed."""
    with pytest.raises(BadConfig) as raised:
        parse_config(text, Everything, "x.yaml")
    assert raised.value.problems == (BAD[text],)
    assert str(raised.value) == f"x.yaml: {BAD[text]}"


def test_all_problems_come_at_once() -> None:
    """Nobody mends a file one run at a time."""
    with pytest.raises(BadConfig) as raised:
        parse_config("whole: x\nnumber: y\nwhat: z", Everything, "x.yaml")
    assert len(raised.value.problems) == 3
    assert len(str(raised.value).splitlines()) == 3


def test_missing_setting_is_named() -> None:
    """By its path."""

    class Needed(Settings):
        """One setting that must be there."""

        name: str

    with pytest.raises(BadConfig, match=r"x: name is missing"):
        parse_data({}, Needed, "x")


def test_empty_file_is_all_defaults(tmp_path: Path) -> None:
    """It is a mapping without settings."""
    path = tmp_path / "x.yaml"
    path.write_text("# nothing\n")
    assert read_config(path, Everything) == Everything()


def test_file_that_cannot_be_read_gets_a_sentence(tmp_path: Path) -> None:
    """It is not there, or not text."""
    with pytest.raises(BadConfig, match="none: cannot be read: No such file or directory"):
        read_config(tmp_path / "none", Everything)
    (tmp_path / "binary").write_bytes(b"ab\xff")
    with pytest.raises(BadConfig, match=r"binary: is not UTF-8 text \(byte 2\)"):
        read_config(tmp_path / "binary", Everything)


def test_settings_do_not_change() -> None:
    """A reload swaps a whole configuration or nothing."""
    with pytest.raises(ValueError, match="frozen"):
        Everything().whole = 5


def test_bounds_and_forms_are_in_the_schema() -> None:
    """Editors show them."""
    port = Inner.model_json_schema()["properties"]["port"]
    assert (port["minimum"], port["maximum"]) == (1, 65535)
    form = Everything.model_json_schema()["properties"]["form"]
    assert (form["pattern"], form["errorMessage"]) == ("^[a-z]*$", "is not in small letters")


def test_problems_within_settings_that_a_validator_reads_keep_their_places() -> None:
    """As if the settings around knew them."""

    class Outer(Settings):
        """Reads what is within itself."""

        within: dict[str, int]

        @field_validator("within")
        @classmethod
        def _known(cls, within: dict[str, int]) -> dict[str, int]:
            try:
                Inner.model_validate(within)
            except ValidationError as error:
                raise nested(error, Inner) from None
            return within

    with pytest.raises(ValidationError) as raised:
        Outer.model_validate({"within": {"port": 0, "prt": 1}})
    assert list(map(str, problems_of(raised.value, Outer, ("outer", 2)))) == [
        "outer[2].within.port: 0 is not between 1 and 65535",
        "outer[2].within.prt is not a known setting; is port meant?",
    ]


def test_paths_are_written_as_people_write_them() -> None:
    """Dots and brackets."""
    assert path_text(["targets", 2, "port"]) == "targets[2].port"
    assert path_text([]) == "the whole file"
    assert path_text([0]) == "[0]"


def test_unforeseen_problem_keeps_the_librarys_words() -> None:
    """Better than none."""

    class Odd(Settings):
        """A kind of setting that has no sentence of its own."""

        path: bytes

    with pytest.raises(BadConfig) as raised:
        parse_data({"path": 5}, Odd, "x")
    assert raised.value.problems[0].startswith("path: 5: ")
