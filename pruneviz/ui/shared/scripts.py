"""The page's scripts: ES modules that lie beside the Python of the part that they belong to."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from pruneviz.ui.shared.static import FOLDER

ENTRY = "page.js"


@cache
def scripts() -> dict[str, bytes]:
    """Every script by its path below the package's ``ui``, as it was when the page was started.

    Read once: were the package upgraded under a running server, old and new would meet.
    """
    files = sorted(FOLDER.rglob("*.js"))
    return {file.relative_to(FOLDER).as_posix(): file.read_bytes() for file in files}


@cache
def address() -> str:
    """Where they are served, below the page's own address.

    It names their content: other scripts have other addresses, and no browser runs old ones.
    """
    digest = sha256()
    for name, text in scripts().items():
        digest.update(f"{name} {len(text)}\n".encode())
        digest.update(text)
    return f"pruneviz/{digest.hexdigest()[:16]}"


def mounting(name: str, *events: str) -> str:
    """A component's ``js_on_load``: what `ENTRY` mounts as `name`, given all that Gradio gives.

    `events` are those of its own that it fires: Gradio knows them only from this text.
    """
    given = "{ element, props, trigger, server, watch }"
    fired = f"// Fires {', '.join(map(repr, events))}.\n" if events else ""
    return (
        f'{fired}import(new URL("{address()}/{ENTRY}", document.baseURI))'
        f'.then(({{ mount }}) => mount("{name}", {given}));'
    )
