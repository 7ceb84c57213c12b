"""What a program gets that calls what is not there, or that the disk has no room for: a line."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pruneviz.scratch import NOT_WRITABLE, Scratch, no_room

logger = logging.getLogger(__name__)
CALLS = re.compile(r"/gradio_api/(?:call(?:/v2)?|run|api|queue/join|component_server)(?:/|$)")
UNKNOWN = "There is no such endpoint. “Use via API” at the foot of the page lists them."
FAILED = "The request could not be understood."
UPLOAD = "/gradio_api/upload"
COARSE = 2.0
"""Seconds by which a file's time may be behind, on file systems that count in twos."""


class Failing:
    """ASGI application around Gradio's routes, which would answer with a bare 500.

    Parameters
    ----------
    app : ASGI application
        What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on; an error becomes a status and a line."""
        begun = False

        async def tell(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except ClientDisconnect:  # in the middle of an upload: nobody is left to be told
            return
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            status, line = told(scope["path"], error)
            if status == 500:
                logger.exception("The request failed")
            await JSONResponse({"detail": line}, status)(scope, receive, send)


class Trimming:
    """ASGI application around another one: after an upload, what is oldest makes room.

    Of an upload that failed, nothing is left.

    Parameters
    ----------
    app : ASGI application
        What answers.
    scratch : Scratch
        Where uploads lie.
    """

    def __init__(self, app: ASGIApp, scratch: Scratch) -> None:
        self._app, self._scratch = app, scratch
        self._begun: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != UPLOAD:
            await self._app(scope, receive, send)
            return
        began = time.time()
        self._begun.append(began)
        try:
            await self._app(scope, receive, send)
        finally:
            self._begun.remove(began)
            # Not in a thread: no other upload begins meanwhile. Clocks of disks are coarse.
            self._scratch.drop_parts(min(self._begun, default=math.inf) - COARSE)
            await asyncio.to_thread(self._scratch.trim)


def told(path: str, error: Exception) -> tuple[int, str]:
    """Status and line for an error."""
    if isinstance(error, OSError) and (line := no_room(error)):
        return 507, line
    if isinstance(error, PermissionError) and path.startswith(UPLOAD):
        return 507, NOT_WRITABLE
    # Gradio looks endpoints up by name or number, and raises what it finds nothing with.
    missing = isinstance(error, LookupError) or type(error).__name__ == "FnIndexInferError"
    if missing and CALLS.match(path):
        return 404, UNKNOWN
    meant = isinstance(error, TypeError | ValueError | RecursionError)
    return (400 if meant else 500), FAILED
