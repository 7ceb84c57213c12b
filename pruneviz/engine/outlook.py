"""How a model would be loaded and what that takes, told before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pruneviz.models.core.fetching import check_name
from pruneviz.models.core.loading import model_type
from pruneviz.models.core.placing import pick_device, pick_dtype, too_large
from pruneviz.models.core.sizing import check_configuration, configured_bytes
from pruneviz.models.core.weights import free_memory, local_folder, weight_bytes


@dataclass(frozen=True)
class Placement:
    """How models are loaded; see :func:`pruneviz.load_model`.

    The embedded model is never quantised: there is nothing to be saved.
    """

    device: str = "auto"
    dtype: str = "auto"
    quantisation: str | None = None

    def weights_dtype(self) -> Any:
        """Torch dtype of the loaded weights, ``"auto"`` for the stored one."""
        return pick_dtype(self.dtype, pick_device(self.device))


@dataclass(frozen=True)
class Outlook:
    """What can be told about a model before it is loaded.

    Attributes
    ----------
    loaded, here : bool
        Whether it is in memory, and whether its files are on this machine.
    weights : int or None
        Bytes in the dtype it is loaded in, before any quantisation; None = not known.
    dtype : str
        That dtype's name, or ``"stored"``.
    """

    loaded: bool
    here: bool
    weights: int | None
    dtype: str


def outlook(name: str, placement: Placement, loaded: bool = False) -> Outlook:
    """What can be told about a model cheaply: no weights are read, no network is asked.

    Raises
    ------
    ModelLoadError, UnsupportedModelError
        If it can already be said that it cannot be loaded.
    """
    check_name(name)
    dtype, here = placement.weights_dtype(), local_folder(name) is not None
    if here and not loaded:
        check_configuration(name)
        model_type(name)
    word = "stored" if dtype == "auto" else str(dtype).removeprefix("torch.")
    return Outlook(loaded, here, weight_bytes(name, dtype), word)


def check_memory(
    name: str, placement: Placement, freed: int = 0, source: str | None = None
) -> None:
    """Refuse a model before the system ends the whole process for want of memory.

    `freed` are the bytes that other models will give back first, `source` is where its files lie
    if not under its name. What cannot be told is let pass.

    Raises
    ------
    ModelLoadError
        If its weights do not fit.
    """
    device = pick_device(placement.device)
    dtype, free = placement.weights_dtype(), free_memory(device)
    need = max(
        weight_bytes(source or name, dtype) or 0, configured_bytes(source or name, dtype) or 0
    )
    if free is None or need <= free + freed:
        return
    have = _gib(free + freed)
    raise too_large(name, device, f": it takes {_gib(need)}, and {have} are free")


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
