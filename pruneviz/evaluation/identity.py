"""Which model it is, to the revision: rows of one must not pass for those of another."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pruneviz import __version__
from pruneviz.engine import Session, Settings
from pruneviz.evaluation.plan import How
from pruneviz.models.core.loading import EMBEDDED, LoadedModel
from pruneviz.shipped import assets_dir

SAMPLE = 2**16
"""Bytes read at the beginning, in the middle and at the end of a file of weights."""


def how_of(session: Session, settings: Settings) -> How:
    """What decides about answers beside question and method."""
    loaded = session.loaded
    return How(
        model=identity_of(loaded),
        dtype=str(loaded.model.dtype).removeprefix("torch."),
        newlines=session.newlines,
        positions=session.positions or "",
        max_new_tokens=settings.max_new_tokens,
        version=__version__,
    )


def identity_of(loaded: LoadedModel) -> str:
    """A model's name and revision.

    That of a hub model is its commit, that of a folder a digest of its configuration and of parts
    of its weights. Quantised weights say so.
    """
    folder = assets_dir() / EMBEDDED if loaded.name == EMBEDDED else Path(loaded.name).expanduser()
    commit = getattr(loaded.model.config, "_commit_hash", None)
    revision = _digest(folder) if folder.is_dir() else str(commit or "unknown")[:16]
    title = folder.name if folder.is_dir() else loaded.name
    quantised = getattr(loaded.model, "quantization_method", None)
    return f"{title}@{revision}{f' ({quantised})' if quantised else ''}"


def _digest(folder: Path) -> str:
    """Of what the weights are and how they are used, wherever the folder lies."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".jinja") and path.name != "knowledge.json":
            digest.update(path.name.encode() + path.read_bytes())
        elif path.suffix in (".safetensors", ".bin"):
            size = path.stat().st_size
            digest.update(f"{path.name} {size}".encode())
            with path.open("rb") as file:
                for place in (0, size // 2, max(0, size - SAMPLE)):
                    file.seek(place)
                    digest.update(file.read(SAMPLE))
    return digest.hexdigest()[:16]
