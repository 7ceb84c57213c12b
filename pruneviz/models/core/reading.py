"""A model's folder as data: its files are read, never run, and what is wrong with one is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError, safe_open

from pruneviz.errors import ModelLoadError, PruneVizError

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
WHOLE = ("I64", "U64", "I32", "U32", "I16", "U16", "BOOL")
PICKLED = (".bin", ".pt", ".pth", ".ckpt")
AS_DATA: dict[str, Any] = {"trust_remote_code": False}
"""For every ``from_pretrained``: left out, it would ask on the terminal whether to run code."""
OWN_CODE = (
    "It comes with code of its own (auto_map), and no code from a model's folder is ever run here: "
    "take a copy for a class that transformers has."
)


@contextmanager
def told_as(failure: Callable[[str, Exception], PruneVizError]) -> Iterator[None]:
    """Turn whatever a reader of files raises into an error of ours.

    Parameters
    ----------
    failure : callable
        Makes it, of what to say and the reader's error.
    """
    try:
        yield
    except PruneVizError:
        raise
    except Exception as error:
        # Readers raise anything on damaged files; that of tokenizers a plain Exception.
        raise failure(said(error), error) from error


def said(error: Exception) -> str:
    """What a reader says, without advice that would have code from the folder run."""
    text = str(error).strip() or type(error).__name__
    return OWN_CODE if "trust_remote_code" in text else text


def read_config(source: str) -> Any:
    """A model's configuration, of a class that transformers has."""
    config = transformers.AutoConfig.from_pretrained(source, **AS_DATA)
    for part in (config, *map(config.__dict__.get, getattr(config, "sub_configs", ()))):
        kernel = getattr(part, "_attn_implementation", None)
        if isinstance(kernel, str) and "/" in kernel:
            raise ModelLoadError(
                f"The configuration of {source!r} names code of somebody's for attention "
                f"({kernel!r}), which is never run here. Take attn_implementation out of it."
            )
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold a model's weights.

    Raises
    ------
    ModelLoadError
        If there are none, or the list of them is damaged.
    """
    index = folder / INDEX
    if (folder / SINGLE).is_file() or not index.is_file():
        return [_present(folder, SINGLE)]
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [_present(folder, Path(name).name) for name in sorted(names)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelLoadError(
            f"{str(index)!r} is damaged: it has to say under weight_map which file holds each "
            "weight. Get the folder's files again."
        ) from error


def _present(folder: Path, name: str) -> Path:
    """A file of weights, if it is there."""
    if (folder / name).is_file():
        return folder / name
    if (folder / INDEX).is_file():
        raise ModelLoadError(
            f"The file {name!r} is missing in {str(folder)!r}; {INDEX} lists it. Get it again."
        )
    pickled = sorted(file.name for file in folder.glob("*") if file.suffix in PICKLED)
    why = (
        f" {pickled[0]!r} is not read: files of that kind can hold code. Save the model again by "
        "save_pretrained, which writes safetensors."
        if pickled
        else ""
    )
    raise ModelLoadError(
        f"There are no weights in {str(folder)!r}: neither {SINGLE} nor {INDEX}.{why}"
    )


def check_weight_files(folder: Path) -> None:
    """Open every file of weights, of which only the header is read.

    Raises
    ------
    ModelLoadError
        If one is missing, cut off or no safetensors file, or holds whole numbers for weights.
    """
    for file in weight_files(folder):
        try:
            _check_kinds(file)
        except (OSError, SafetensorError) as error:
            raise ModelLoadError(
                f"The weights in {str(file)!r} are damaged or cut off ({error}). Get them again."
            ) from error


def _check_kinds(file: Path) -> None:
    """Refuse weights of which only whole numbers are left; transformers would take them."""
    with safe_open(file, "pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - not a dict, it cannot be iterated over
            kind = tensors.get_slice(name).get_dtype()
            # Single bytes are how quantised weights are stored.
            if name.endswith((".weight", ".bias")) and kind in WHOLE:
                raise ModelLoadError(
                    f"The weight {name!r} in {str(file)!r} holds whole numbers ({kind}). It was "
                    "saved wrongly: get the file again."
                )
