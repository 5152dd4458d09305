"""Examples of what the API takes and answers, by schema: answers that it gave, about people who do not exist.

A test holds each against its schema. Bodies that need an example told apart have it beside their fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

EXAMPLES: dict[str, Any] = orjson.loads(Path(__file__).with_name("examples.json").read_bytes())
