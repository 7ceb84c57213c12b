"""Where the files that ship with the project lie: embedded model, examples, drawings."""

from __future__ import annotations

from pathlib import Path

from pruneviz.errors import ModelLoadError

EMBEDDED = "embedded"
"""Name of the model that ships with the project."""


def assets_dir() -> Path:
    """Folder of the files that ship with the project, in a wheel or in a checkout.

    Raises
    ------
    ModelLoadError
        If neither the checkout nor the installed package has it.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "assets", package.parent / "assets"):
        if (folder / "embedded" / "config.json").is_file():
            return folder
    raise ModelLoadError("The embedded model's files (assets/embedded) are missing; reinstall.")
