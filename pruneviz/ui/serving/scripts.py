"""Serve the page's scripts, and nothing else of the package."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pruneviz.ui.shared.scripts import address, scripts

HEADERS = {
    # The address changes with the content.
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
}


def route() -> Route:
    """What answers for them.

    They come from memory, by name: no path leads to a file, and no busy thread is waited for. Their
    type is said here, as a system's own table of types may not know it, and a browser runs no
    module of another one.
    """

    async def answer(request: Request) -> Response:
        text = scripts().get(request.path_params["name"])
        if text is None:
            return PlainTextResponse("There is no such script.", 404)
        return Response(text, headers=HEADERS, media_type="text/javascript")

    return Route(f"/{address()}/{{name:path}}", answer)


class Announcing:
    """ASGI application around Gradio's: the page's first answer names all scripts.

    The browser fetches them while it starts Gradio; else each only when another one that imports
    it is read, which over a slow line takes longer than all the rest.

    Parameters
    ----------
    app : ASGI application
        What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        links = (f"<{address()}/{name}>; rel=modulepreload" for name in scripts())
        self._links = ", ".join(links)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["link"] = self._links
            await send(message)

        page = scope["type"] == "http" and scope["path"] == "/"
        await self._app(scope, receive, tell if page else send)
