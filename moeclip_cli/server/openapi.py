"""The OpenAPI document: what clients may send, and what they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

from moeclip_cli._version import __version__
from moeclip_cli.inspection.result import COLUMNS, Region, Row
from moeclip_cli.inspection.verdicts import VERDICTS
from moeclip_cli.server.problems import MEDIA_TYPE
from moeclip_cli.server.settings import Limits

_TYPES = {str: "string", float: "number", int: "integer", type(None): "null"}
_UNAUTHORISED = {"401": "The token is missing or wrong."}
_REFUSALS = {
    "400": "A parameter is unknown or invalid, or the form is damaged.",
    "404": "There is no such profile.",
    "408": "The body did not arrive in time.",
    "413": "The body, the picture or the number of pictures is too large.",
    "415": "The body is not a picture in a supported format.",
    "422": "The picture is damaged, or decoding it takes too long.",
    "429": "The queue is full; try again after the time in Retry-After.",
    "500": "The model cannot score, or there is a bug.",
    "503": "The model is being loaded, the server stops, or the inspection took too long.",
}


def openapi_document(profiles: Sequence[str], limits: Limits, *, token: bool) -> dict[str, Any]:
    """The description of the server in OpenAPI 3.1.

    Args:
        profiles: names of the profiles.
        limits: what the server takes.
        token: whether clients have to send one.
    """
    guarded = _UNAUTHORISED if token else {}
    schemas = {"Result": _result(), "Region": _record(Region), "Problem": _problem()}
    components: dict[str, Any] = {"schemas": schemas}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "moeclip", "version": __version__},
        "paths": {
            "/inspect": {"post": _inspect(profiles, limits, guarded)},
            "/health": _get("health", "Whether the server runs.", "application/json", {}),
            "/ready": _get(
                "ready",
                "Whether pictures are inspected.",
                "application/json",
                {"503": "The model is being loaded, or the server stops."},
            ),
            "/metrics": _get("metrics", "Counts for Prometheus.", "text/plain", guarded),
            "/openapi.json": _get("openapi", "This document.", "application/json", guarded),
        },
        "components": components,
    }
    if token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        for path in ("/health", "/ready"):
            document["paths"][path]["get"]["security"] = []
    return document


def _inspect(profiles: Sequence[str], limits: Limits, guarded: dict[str, str]) -> dict[str, Any]:
    names = {"type": "string", "enum": list(profiles)}
    binary = {"type": "string", "format": "binary"}
    picture = binary | {"minLength": 1}
    files = {"type": "array", "items": binary, "minItems": 1}
    form = {
        "type": "object",
        "properties": {"pictures": files},
        "required": ["pictures"],
        "additionalProperties": False,
    }
    result = {"$ref": "#/components/schemas/Result"}
    found = {"anyOf": [result, {"type": "array", "items": result}]}
    return {
        "operationId": "inspect",
        "summary": "Inspect a picture, or the files of a form.",
        "description": f"At most {limits.max_bytes} bytes and {limits.queue} pictures.",
        "parameters": [
            _parameter("profile", names, required=len(profiles) > 1),
            _parameter("overlay", {"type": "string", "enum": ["0", "1"]}, required=False),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": picture},
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": {
            "200": {
                "description": "One result, those of a form as a list, or an overlay.",
                "content": {
                    "application/json": {"schema": found},
                    "image/png": {"schema": binary},
                },
            },
            **_problems(_REFUSALS | guarded),
        },
    }


def _parameter(name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _get(name: str, summary: str, kind: str, refusals: dict[str, str]) -> dict[str, Any]:
    schema = {"type": "object"} if kind.endswith("json") else {"type": "string"}
    answer = {"description": summary, "content": {kind: {"schema": schema}}}
    responses = {"200": answer, **_problems(refusals)}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _problems(refusals: dict[str, str]) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": text, "content": content}
        for status, text in sorted(refusals.items())
    }


def _result() -> dict[str, Any]:
    """The object that `Result.to_dict` gives."""
    row = _record(Row)
    regions = {"type": "array", "items": {"$ref": "#/components/schemas/Region"}}
    row["properties"]["verdict"]["enum"] = [*VERDICTS, None]
    row["properties"] |= {"boxes": regions, "schema": {"type": "integer"}}
    row["properties"]["unsure_threshold"] = {"type": "number"}  # of a product with a band
    row["required"] = [*COLUMNS, "boxes", "schema"]
    return row


def _record(record: type) -> dict[str, Any]:
    hints = get_type_hints(record)
    properties = {
        name: {"type": [_TYPES[kind] for kind in get_args(hint) or (hint,)]}
        for name, hint in hints.items()
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _problem() -> dict[str, Any]:
    texts = {name: {"type": "string"} for name in ("type", "title", "detail")}
    properties = {**texts, "status": {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": list(properties)}
