"""Bring a hub model's files to this machine without loading anything."""

from __future__ import annotations

import os

from huggingface_hub import snapshot_download

from pruneviz.errors import ModelLoadError
from pruneviz.models.core.loading import EMBEDDED, model_type
from pruneviz.models.core.reading import told_as

WANTED = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
UNUSED = ["*/*", "consolidated*"]
"""Other formats of the same weights."""


def check_name(name: str) -> None:
    """Refuse what can only be a folder and is none; anything else may be a hub id.

    Raises
    ------
    ModelLoadError
    """
    path = name.startswith(("/", "\\", ".", "~")) or name.count("/") > 1 or "\\" in name
    if path and not os.path.isdir(name):
        raise ModelLoadError(
            f"There is no folder {name!r} on the machine that runs the app. Give the folder of a "
            "model (with config.json and safetensors files) or a hub id such as "
            "llava-hf/llava-1.5-7b-hf."
        )


def fetch(name: str) -> None:
    """Check that a model is supported and, if it is on the hub, download its files.

    Raises
    ------
    ModelLoadError, UnsupportedModelError
        If there is no such model, it is not supported or cannot be downloaded.
    """
    check_name(name)
    model_type(name)  # a few kilobytes tell whether gigabytes are worth it
    if name == EMBEDDED or os.path.isdir(name):
        return
    with told_as(lambda text, _: _stopped(name, text)):
        snapshot_download(name, allow_patterns=WANTED, ignore_patterns=UNUSED)


def _stopped(name: str, text: str) -> ModelLoadError:
    return ModelLoadError(
        f"{name!r} could not be downloaded. Check the network and the disk, or give the folder "
        f"of a copy on this machine. {text}"
    )
