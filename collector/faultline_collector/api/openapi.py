"""The OpenAPI document, made from the table of endpoints."""

import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from faultline_collector.api.answers import ErrorAnswer, HealthAnswer, OutageAnswer
from faultline_collector.api.endpoints import ENDPOINTS, Endpoint

_SAID = {
    400: "A parameter cannot be used; the sentence says which, and what is allowed",
    404: "There is no such thing",
    503: "Busy or unwell; Retry-After says when to come back",
}


def document() -> dict[str, Any]:
    """The whole document."""
    models: set[type[BaseModel]] = {e.gives for e in ENDPOINTS if not isinstance(e.gives, str)} | {
        ErrorAnswer,
        OutageAnswer,
    }
    _, schemas = models_json_schema(
        [(model, "serialization") for model in _by_name(models)], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Faultline",
            "version": version("faultline-collector"),
            "summary": "What is down, for whom, and why",
        },
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in ENDPOINTS},
        "components": {"schemas": schemas["$defs"]},
    }


def text() -> str:
    """The document as the repository and the API hold it."""
    return json.dumps(document(), indent=1) + "\n"


def _by_name(models: Iterable[type[BaseModel]]) -> list[type[BaseModel]]:
    return sorted(models, key=lambda model: model.__name__)


def _operation(endpoint: Endpoint[Any]) -> dict[str, Any]:
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint.takes)],
        "responses": {"200": _given(endpoint)}
        | {str(status): _refused(endpoint, status) for status in endpoint.errors},
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(question: type[BaseModel]) -> list[dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = question.model_json_schema(mode="serialization").get(
        "properties", {}
    )
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema.pop("description", ""),
            "schema": {key: value for key, value in schema.items() if key != "title"},
        }
        for name, schema in properties.items()
    ]


def _given(endpoint: Endpoint[Any]) -> dict[str, Any]:
    if isinstance(endpoint.gives, str):
        kind = "object" if endpoint.media_type.endswith("json") else "string"
        return {"description": endpoint.gives, "content": {endpoint.media_type: {"schema": {"type": kind}}}}
    return _content(endpoint.gives, endpoint.media_type, (endpoint.gives.__doc__ or "").splitlines()[0])


def _refused(endpoint: Endpoint[Any], status: int) -> dict[str, Any]:
    model = HealthAnswer if endpoint.gives is HealthAnswer else ErrorAnswer
    return _content(model, "application/json", _SAID[status])


def _content(model: type[BaseModel], media_type: str, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {media_type: {"schema": schema}}}
