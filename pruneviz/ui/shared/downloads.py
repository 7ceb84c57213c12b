"""What every export panel does in the browser: save what was served, copy a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOWNLOAD_SCRIPT = """(file) => {
  if (!file || !file.url) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name || "";
  link.click();
}"""
# The page's own address is known in the browser alone; without a clipboard the text can be marked.
COPY_SCRIPT = """(kind, text) => {
  if (!text) return "";
  const copied = kind === "link" ? location.origin + location.pathname + "?" + text : text;
  if (navigator.clipboard) navigator.clipboard.writeText(copied).catch(() => {});
  return copied;
}"""
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def kept(cache: Callable[[str], str | None]) -> Callable[[str], str]:
    """`cache`, which must not fail to keep a file."""

    def keep(path: str) -> str:
        served = cache(path)
        if served is None:
            raise OSError("The file could not be kept for the download.")
        return served

    return keep
