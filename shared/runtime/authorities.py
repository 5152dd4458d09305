"""The certificate authorities that clients of HTTPS trust: read once a process, because to read them takes 20 ms."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """Those that ship with the HTTP client, whatever the environment says. One context serves every client."""
    return httpx.create_ssl_context(trust_env=False)
