"""The HTTP server of a process, over a socket that was taken before anything else was started."""

from __future__ import annotations

import asyncio
import socket

import uvicorn

from services.api import measures, wire
from services.api.app import create_app
from services.api.deps import ApiDeps
from services.api.settings import ApiSettings
from services.settings import CannotStart


def open_port(settings: ApiSettings) -> socket.socket:
    """The API's port, taken before anything is started. Raises ``CannotStart`` when somebody else has it."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.api_host, settings.api_port))
    except OSError as error:
        listener.close()
        where = f"{settings.api_host}:{settings.api_port}"
        reason = f"the API can not listen on {where} ({error.strerror}); see ARREARS_API_HOST, ARREARS_API_PORT"
        raise CannotStart(reason) from None
    return listener


def http_server(deps: ApiDeps) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(deps, observe=measures.observe),
        log_config=None,
        access_log=False,
        lifespan="off",
        http=wire.BoundedHttp,
    )
    return uvicorn.Server(config)


async def serve_http(server: uvicorn.Server, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until told to stop, then finish what is under way."""
    # serve() would take the signals, which are the supervisor's.
    serving = asyncio.create_task(server._serve([listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving
