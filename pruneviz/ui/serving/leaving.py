"""Notice when whoever listens for results goes, or wants them no more."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pruneviz.ui.shared.attending import ATTENDANCE, Attendance

CALL = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/(?P<event>[^/]+)/?")
QUEUE, CANCEL = "/gradio_api/queue/data", "/gradio_api/cancel"
JOIN = "/gradio_api/queue/join"
SESSION = re.compile(rb'"session_hash": ?"([\w-]+)"')
TAIL = 4_096
"""Bytes at the end of a request to join the queue in which its session stands."""
LAST = b'"close_stream"'
"""In what Gradio tells last: the page then breaks off, before or after the stream ends."""
LONGEST = 65_536
"""Bytes of a request to cancel; a longer one is none."""


class Leaving:
    """ASGI application before Gradio's, which goes on with what a program asked for and left.

    Parameters
    ----------
    app : ASGI application
        What answers.
    attendance : Attendance
        Is told who comes and goes.
    """

    def __init__(self, app: ASGIApp, attendance: Attendance = ATTENDANCE) -> None:
        self._app, self._attendance = app, attendance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on and watch those that listen."""
        if scope["type"] == "http":
            if key := listened_to(scope):
                await self._listen(key, scope, receive, send)
                return
            posted = scope["path"].rstrip("/") if scope["method"] == "POST" else ""
            if posted == CANCEL:
                receive = await self._cancel(receive)
            elif posted == JOIN:
                receive = self._join(receive)
        await self._app(scope, receive, send)

    async def _listen(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        told, early = False, False
        messages: asyncio.Queue[Message] = asyncio.Queue()

        async def watch() -> None:
            nonlocal early
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    early = not told
                    # Not only when the application ends: it may be busy with something else.
                    self._attendance.went(key, early)
                    # Of one who breaks off after the last word Gradio would end whatever that
                    # visitor has asked for since; the answer ends by itself.
                    if early:
                        await messages.put(message)
                    return
                await messages.put(message)

        async def tell(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.body":
                told = told or not message.get("more_body") or LAST in message.get("body", b"")
            await send(message)

        self._attendance.came(key)
        watching = asyncio.create_task(watch())
        try:
            await self._app(scope, messages.get, tell)
        finally:
            if not watching.done():
                watching.cancel()
                self._attendance.went(key, early=not told)
            if CALL.fullmatch(scope["path"]):
                forget(scope.get("app"), key)

    def _join(self, receive: Receive) -> Receive:
        """Note who asks for something: they may have stopped listening a moment ago."""
        tail = b""

        async def heard() -> Message:
            nonlocal tail
            message = await receive()
            tail = (tail + message.get("body", b""))[-TAIL:]
            if not message.get("more_body"):
                for session in SESSION.findall(tail)[-1:]:
                    self._attendance.asked(session.decode())
            return message

        return heard

    async def _cancel(self, receive: Receive) -> Receive:
        """Note what is cancelled, and hand the request on as it came."""
        body, came = b"", []
        while len(body) <= LONGEST:
            message = await receive()
            came.append(message)
            body += message.get("body", b"")
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        try:
            event = json.loads(body)["event_id"]
        except (ValueError, LookupError, TypeError):
            event = None
        if isinstance(event, str):
            self._attendance.cancelled(event)
        left = iter(came)

        async def again() -> Message:
            message = next(left, None)
            return await receive() if message is None else message

        return again


def forget(app: Any, session: str) -> None:
    """Let go what Gradio remembers of a program's call: half a megabyte, as of a page's visitor."""
    holder = getattr(app, "state_holder", None)
    if holder is not None and session in holder.session_data:
        holder.delete_state(session)
        holder.session_data.pop(session, None)
        holder.time_last_used.pop(session, None)
    queue = app.get_blocks()._queue if hasattr(app, "get_blocks") else None
    if queue is not None and not queue.pending_event_ids_session.get(session):
        # Answered: nobody will put anything there or look for it.
        queue.pending_event_ids_session.pop(session, None)
        queue.pending_messages_per_session.pop(session, None)


def listened_to(scope: Scope) -> str | None:
    """Session or event whose results a request wants to hear; None where it is another one."""
    if scope["method"] != "GET":
        return None
    if found := CALL.fullmatch(scope["path"]):
        return found["event"]
    if scope["path"].rstrip("/") == QUEUE:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        return next(iter(query.get("session_hash", [])), None)
    return None
