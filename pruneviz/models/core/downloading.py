"""Download a model's files: a program of its own, so that whoever waits can end it.

Run by :mod:`pruneviz.models.core.fetching` as ``python downloading.py STAGE NAME``; imports nothing
of the package, whose imports take longer than most look-ups. Prints lines of JSON: ``total`` bytes
once they are known, at the end the ``folder`` or a ``problem`` with its ``text``.
"""

from __future__ import annotations

import errno
import json
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

WANTED = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
UNUSED = ["*/*", "consolidated*"]
"""Other formats of the same weights."""
PROBLEMS = {
    "RepositoryNotFoundError": "the hub has no model of that name that can be seen from here",
    "GatedRepoError": "its owners want a login first (hf auth login)",
    "EntryNotFoundError": "it has no config.json on the hub",
    "RemoteEntryNotFoundError": "it has no config.json on the hub",
    "HFValidationError": "that is no name that the hub allows",
    "OfflineModeIsEnabled": "the hub may not be asked (HF_HUB_OFFLINE)",
}
NOT_REACHED = "the hub cannot be reached, and no whole copy is on this machine"


def main(stage: str, name: str) -> None:
    """Look a model up (``look``) or bring all its files here (``all``)."""
    try:
        folder = _look(name) if stage == "look" else _all(name)
    except Exception as error:  # noqa: BLE001 - told to whoever waits
        _say({"problem": problem(error), "text": str(error)[:500]})
    else:
        _say({"folder": folder})


def problem(error: BaseException) -> str:
    """Why it failed, in words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES):
        return "the folder for downloads cannot be written to"
    chain: BaseException | None = error
    while chain is not None:
        kinds = [kind.__name__ for kind in type(chain).__mro__]
        # "Not in the cache either": why it could not be had is what came before.
        known = [] if "LocalEntryNotFoundError" in kinds else kinds
        for kind in filter(PROBLEMS.get, known):
            return PROBLEMS[kind]
        chain = chain.__cause__
    return NOT_REACHED


def _look(name: str) -> str:
    from huggingface_hub import hf_hub_download

    return str(Path(hf_hub_download(name, "config.json")).parent)


def _all(name: str) -> str:
    from huggingface_hub import snapshot_download

    _say({"total": _total(name)})
    return str(snapshot_download(name, allow_patterns=WANTED, ignore_patterns=UNUSED))


def _total(name: str) -> int | None:
    from huggingface_hub import HfApi

    try:
        files = HfApi().model_info(name, files_metadata=True, timeout=20).siblings or []
    except Exception:  # noqa: BLE001 - then it is not known; the download says what is wrong
        return None
    return sum(file.size or 0 for file in files if _is_wanted(file.rfilename))


def _is_wanted(file: str) -> bool:
    used = any(fnmatch(file, one) for one in WANTED)
    return used and not any(fnmatch(file, one) for one in UNUSED)


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
