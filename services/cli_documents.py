"""``arrears openapi`` and ``arrears asyncapi``: the contracts of this version, as the code makes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from services.api.app import VERSION, openapi_document
from shared.adapters.asyncapi import document as asyncapi_document

Out = Annotated[Path | None, typer.Option(help="A file; else standard output.")]


def openapi(out: Out = None) -> None:
    """Print the OpenAPI document of the HTTP interface."""
    _write(openapi_document(), out)


def asyncapi(out: Out = None) -> None:
    """Print the AsyncAPI document of the topics."""
    _write(asyncapi_document(VERSION), out)


def as_text(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _write(document: dict[str, Any], out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(as_text(document))
    else:
        out.write_bytes(as_text(document))
