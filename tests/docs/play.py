"""Run a tutorial's blocks in order and compare what they print with what the page shows.

``python play.py TUTORIAL.md`` runs in the current folder, where the tutorial's own files go:

- ``python`` blocks run in one session; the ``text`` block that follows one is what it prints, and
  without such a block it prints nothing;
- one with a ``title`` is a file of that name and is written;
- ``console`` blocks hold commands after ``$`` and what each prints; ``python app.py`` goes on in
  the background;
- ``bash`` blocks are for the reader alone.

In what is shown, ``...`` stands for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {"python", "text", "console", "bash"}
PAGE = "127.0.0.1:7860"
READY = "PruneViz is at"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the title it carries, its text, and the line it begins at."""

    kind: str
    title: str
    text: str
    line: int


class MismatchError(Exception):
    """A block does not print what the page shows."""


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found = [
        Block(m[1], m[2] or "", m[3], page.count("\n", 0, m.start()) + 1)
        for m in BLOCK.finditer(page)
    ]
    assert len(found) * 2 == len(re.findall(r"^```", page, re.MULTILINE)), "a fence is not read"
    assert {block.kind for block in found} <= KINDS
    return found


class Player:
    """Runs blocks; the Python session and the page's server live as long as it."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__tutorial__"}
        self.server: subprocess.Popen[str] | None = None
        self.page = f"127.0.0.1:{_free_port()}"

    def play(self, found: list[Block]) -> None:
        """Run all of them; raises MismatchError at the first that differs."""
        shown = [block.text if block.kind == "text" else "" for block in found[1:]]
        for block, after in zip(found, [*shown, ""], strict=True):
            if block.title:
                Path(block.title).write_text(block.text, encoding="utf-8")
            elif block.kind == "python":
                compare(block, after, self.python(block))
            elif block.kind == "console":
                for command, output in commands(block.text):
                    compare(block, output, self.console(command))

    def python(self, block: Block) -> str:
        """What a block prints, run in the session."""
        code = compile("\n" * block.line + block.text.replace(PAGE, self.page), "<page>", "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, self.names)  # noqa: S102 - our own page
        return printed.getvalue()

    def console(self, command: str) -> str:
        """What a command prints; the page's server is left running."""
        words = shlex.split(command)
        assert words[0] == "python", command
        words[0] = sys.executable
        if words[1] == "app.py":
            return self.serve([*words, "--port", self.page.rpartition(":")[2]])
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise MismatchError(f"{command}\n{done.stderr}")
        return done.stdout

    def serve(self, words: list[str]) -> str:
        """Start the page; what it says when it is ready."""
        self.server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)  # noqa: S603
        assert self.server.stderr is not None
        said = []
        for line in self.server.stderr:
            said.append(line)
            if READY in line:
                return line.replace(self.page, PAGE)
        raise MismatchError("".join(said))

    def close(self) -> None:
        """End the page's server, if there is one."""
        if self.server is not None:
            self.server.terminate()
            self.server.wait()


def commands(text: str) -> list[tuple[str, str]]:
    """Commands of a console block and what each prints; a backslash joins lines."""
    parts = re.split(r"^\$ ", text.replace("\\\n", ""), flags=re.MULTILINE)
    assert not parts[0], f"a console block begins with a command: {text}"
    return [(command, output) for command, _, output in (p.partition("\n") for p in parts[1:])]


def compare(block: Block, shown: str, printed: str) -> None:
    """Raise MismatchError unless a block printed what is shown."""
    if not doctest.OutputChecker().check_output(
        shown, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    ):
        raise MismatchError(
            f"The block at line {block.line} prints\n{printed}\nbut the page shows\n{shown}"
        )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main(path: str) -> None:
    """Play one page."""
    player = Player()
    try:
        player.play(blocks(Path(path).read_text(encoding="utf-8")))
    finally:
        player.close()


if __name__ == "__main__":
    main(sys.argv[1])
