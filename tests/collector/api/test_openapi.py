"""The OpenAPI document: valid, current, complete."""

from typing import Any

import pytest
from openapi_spec_validator import validate

from faultline_collector.api import openapi
from faultline_collector.api.endpoints import ENDPOINTS, Endpoint
from faultline_collector.api.questions import BadQuestion, read_question


def test_the_document_is_valid() -> None:
    """By the standard's own schema."""
    validate(openapi.document())


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
