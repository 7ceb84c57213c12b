"""Answer only requests for this server, and of web pages only its own.

Any website can make its visitors' browsers send requests to addresses on their own machines. Such
a request says where it comes from (Origin, Sec-Fetch-Site); one of a site whose name was pointed at
this machine in the meantime (DNS rebinding) is for that name (Host).
"""

from __future__ import annotations

import logging
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pruneviz.hosts import Addresses, Place

logger = logging.getLogger(__name__)
OTHER_HOST = (
    "This server does not answer under that name. Use the address that it was started on; where a "
    "proxy gives it another name, start it with --allow-host NAME."
)
OTHER_ORIGIN = (
    "This server answers no other website's requests. Where that is its own name, given to it by a "
    "proxy, start it with --allow-host NAME."
)
NO_PROXY = "This server fetches nothing for others."
FETCHES = ("/proxy=", "/file=http:", "/file=https:", "/file/http:", "/file/https:")
"""Addresses under which Gradio would fetch what lies elsewhere."""


class Guard:
    """ASGI application before another one, for all that it serves.

    Parameters
    ----------
    app : ASGI application
        What answers the requests that pass.
    addresses : Addresses
        The server's own names.
    """

    def __init__(self, app: ASGIApp, addresses: Addresses) -> None:
        self._app, self._addresses = app, addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse with 421 (not its name) or 403 (another website)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(refused[1], refused[0])(scope, receive, send)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and text for a request that is not answered."""
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        forwarded = ",".join(headers.getlist("x-forwarded-host"))
        hosts = [Place.read(text) for text in (*named, *filter(None, forwarded.split(",")))]
        reached = (scope.get("server") or (None,))[0]
        if len(named) != 1 or not all(self._addresses.answers(one, reached) for one in hosts):
            asked = ",".join([*named, *filter(None, [forwarded])])
            logger.warning("Refused a request for another host: %r", asked[:100])
            return 421, OTHER_HOST
        if not self._from_here(headers, [one for one in hosts if one], scope):
            return 403, OTHER_ORIGIN
        path = scope["path"].replace("/http:/", "/http:").replace("/https:/", "/https:")
        return (403, NO_PROXY) if any(part in path for part in FETCHES) else None

    def _from_here(self, headers: Headers, hosts: list[Place], scope: Any) -> bool:
        """Whether no other website sent a request, links to this one apart."""
        if origins := [Place.of_origin(text) for text in headers.getlist("origin")]:
            return all(
                any(self._addresses.trusts(origin, host) for host in hosts) for origin in origins
            )
        site = headers.get("sec-fetch-site", "none")
        if site in ("none", "same-origin"):
            return True
        followed = headers.get("sec-fetch-mode") == "navigate"
        return followed and scope.get("method") in ("GET", "HEAD")
