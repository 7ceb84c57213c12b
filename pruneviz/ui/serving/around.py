"""What is put around Gradio's application when it starts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp

Layer = Callable[[ASGIApp], ASGIApp]


def around(*layers: Layer) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan that puts layers around everything else, the last one outermost.

    As middleware they would stand behind Gradio's own, which answers some requests by itself: the
    preflights of browsers.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        for layer in layers:
            app.middleware_stack = layer(app.middleware_stack)
        yield

    return lifespan
