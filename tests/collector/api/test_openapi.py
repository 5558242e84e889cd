"""The OpenAPI document: valid, current, complete."""

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from faultline_collector.api import openapi
from faultline_collector.api.endpoints import ENDPOINTS, Endpoint
from faultline_collector.api.questions import BadQuestion, read_question

ROOT = Path(__file__).parents[3]


def test_the_document_is_valid() -> None:
    """By the standard's own schema."""
    validate(openapi.document())


def test_the_document_in_the_repository_is_current(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the check says how to make it so; the working directory is what it goes by."""
    monkeypatch.chdir(ROOT)
    assert openapi.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_document_that_is_out_of_date_is_told_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command to run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    assert openapi.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        "docs/openapi.json is out of date: python -m faultline_collector.api.openapi\n"
    )
    assert openapi.main([]) == 0
    assert openapi.main(["--check"]) == 0


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: str(endpoint.name))
def test_every_parameter_is_described_and_an_unknown_one_refused_where_any_is_taken(
    endpoint: Endpoint[Any],
) -> None:
    """The document is made from the models that read them."""
    described = openapi.document()["paths"][endpoint.path]["get"]["parameters"]
    asked = {parameter["name"] for parameter in described if parameter["in"] == "query"}
    assert asked == set(endpoint.takes.model_fields)
    assert all(parameter["description"] for parameter in described if parameter["in"] == "query")
    with pytest.raises(BadQuestion, match="nonsense is not a known parameter"):
        read_question(endpoint.takes, {"nonsense": "1"})
