"""The OpenAPI document as one page to read in a browser: made here, with no script and nothing from another host."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

_PAGES = Path(__file__).with_name("pages")
_METHODS = ("get", "post", "put", "patch", "delete")
_STYLE = (_PAGES / "reference.css").read_text(encoding="utf-8")
POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; " + (
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's content security policy: its own style and nothing else."""


def render(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document."""
    pages = Environment(loader=FileSystemLoader(_PAGES), autoescape=True)
    pages.filters["pretty"] = _pretty
    schemas = document["components"]["schemas"]
    return pages.get_template("reference.html").render(
        about=document["info"],
        openapi=document["openapi"],
        tags=document["tags"],
        operations=_by_tag(document),
        schemas=dict(sorted(schemas.items())),
        example=_example_of(schemas),
        style=_STYLE,
    )


def _by_tag(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                call = {"method": method.upper(), "path": path, "about": item[method]}
                found[item[method]["tags"][0]].append(call)
    return found


def _example_of(schemas: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], str]:
    def example(shape: Mapping[str, Any]) -> str:
        whole = schemas.get(str(shape.get("$ref", "")).rpartition("/")[2], shape)
        samples = whole.get("examples") or [whole.get("example")]
        return "" if samples[0] is None else _pretty(samples[0])

    return example


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
