"""Which families there are, and which adapter handles which model."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from pruneviz.errors import UnsupportedModelError
from pruneviz.models.causal_lm import CausalLMAdapter
from pruneviz.models.core.adapter import Adapter

PACKAGE = __name__.rpartition(".")[0]


def _found() -> Iterator[type[Adapter]]:
    """Adapters of the files and folders beside this one, which are a family each."""
    for entry in pkgutil.iter_modules(sys.modules[PACKAGE].__path__):
        module = import_module(f"{PACKAGE}.{entry.name}")
        for value in vars(module).values():
            adapter = isinstance(value, type) and issubclass(value, Adapter)
            if adapter and f"{value.__module__}.".startswith(f"{module.__name__}."):
                yield value


def _checked(found: Iterable[type[Adapter]]) -> Iterator[type[Adapter]]:
    """The same; raises ValueError where one does not say itself, or as another, what it handles."""
    owners: dict[str, type[Adapter]] = {}
    for adapter in found:
        for name in ("architectures", "example"):
            # An inherited one would be that of another family.
            if name not in vars(adapter):
                raise ValueError(f"{adapter.__name__} must declare its own `{name}`.")
        for entry in adapter.architectures:
            owner = owners.setdefault(entry.model_type, adapter)
            if owner is not adapter:
                raise ValueError(
                    f"{owner.__name__} and {adapter.__name__} both claim "
                    f"{entry.model_class.__name__} (model_type {entry.model_type!r}): leave it in "
                    "the `architectures` of one of them."
                )
        yield adapter


# Those that know a model by how it is built come last: they would take others' models, too.
ADAPTERS: tuple[type[Adapter], ...] = tuple(
    sorted(_checked(_found()), key=lambda adapter: not adapter.architectures)
)
LOADABLE: dict[str, type[Adapter]] = {
    entry.model_type: adapter
    for adapter in ADAPTERS
    if adapter.loadable
    for entry in adapter.architectures
}
"""Families that :func:`pruneviz.load_model` loads, by the ``model_type`` of configurations."""


def loadable_titles() -> tuple[str, ...]:
    """Short names of all architectures that :func:`pruneviz.load_model` loads."""
    return tuple(LOADABLE[kind].architecture(kind).title for kind in LOADABLE)


def supported_models(by_name: bool = False) -> str:
    """One line per supported family, for error messages and pages.

    `by_name` leaves out those that :func:`pruneviz.load_model` does not load.
    """
    return "\n".join(
        f"- {adapter.described()}" for adapter in ADAPTERS if adapter.loadable or not by_name
    )


def find_adapter(model: Any) -> Adapter:
    """Adapter of a model.

    Raises
    ------
    UnsupportedModelError
        If no family matches; the message lists the supported ones.
    """
    for adapter in ADAPTERS:
        if adapter.matches(model):
            return adapter()
    raise UnsupportedModelError(
        f"{type(model).__name__} is not supported.{_reason(model)} Supported models:\n"
        f"{supported_models()}"
    )


def _reason(model: Any) -> str:
    """Why a language model that has decoder layers was refused; empty for other models."""
    if not hasattr(getattr(model, "model", model), "layers"):
        return ""
    try:
        CausalLMAdapter().decoder(model)
    except UnsupportedModelError as error:
        return f" {error}"
    return ""
