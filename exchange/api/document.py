"""The OpenAPI document: FastAPI's, with problems under their own media type; committed beside this.

``python -m exchange.api`` writes it again; a test fails when it is not what the app says.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from exchange.api.problems import MEDIA_TYPE

COMMITTED = Path(__file__).with_name("openapi.json")
_METHODS = ("get", "put", "post", "delete", "patch")


def document(app: FastAPI) -> None:
    """Make the app describe its problems as what they are."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        made = describe()
        for _, _, operation in operations(made):
            content = operation["responses"].get("default", {}).get("content", {})
            if "application/json" in content:
                content[MEDIA_TYPE] = content.pop("application/json")
        return made

    app.openapi = described  # type: ignore[method-assign]


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of every operation of a document."""
    for path, item in made["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def text_of(app: FastAPI) -> str:
    """The document as it is committed."""
    return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"
