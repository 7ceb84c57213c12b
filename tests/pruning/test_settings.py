"""Every registered method is among those that the pruning tests run through."""

from __future__ import annotations

from pruneviz import list_methods
from pruneviz.errors import UnsupportedModelError
from pruneviz.methods import register, unregister
from tests.helpers import LAYERS, MODELS, NUM_PATCHES, TEXT_MODELS, VISION_MODELS, tiny
from tests.newcomer.throw_away import LargestNorm
from tests.pruning.settings import (
    MERGING,
    METHODS,
    PICKING,
    SIZED,
    VARIANTS,
    fits,
    methods,
    runs_on,
)
from tests.tiny import KINDS


def watchable(kind: str) -> bool:
    """Whether the attention of a tiny model's encoder can be read."""
    try:
        KINDS[kind].family().watch_vision(tiny(kind), print).remove()
    except UnsupportedModelError:
        return False
    return True


def test_every_method_is_run_on_every_family_that_has_what_it_asks() -> None:
    assert set(list_methods()) <= set(METHODS)
    assert sorted(PICKING + MERGING) == sorted(METHODS)
    watched = [kind for kind in MODELS if watchable(kind)]
    known = [*TEXT_MODELS, *watched]
    for name, method in METHODS.items():
        needs = method.needs
        wanted = watched if needs.encoder else known if needs.grid else MODELS
        assert {kind for kind in MODELS if fits(kind, name)} == set(wanted)
        counts = [method.total(stage, NUM_PATCHES) for stage in method.plan(LAYERS)]
        assert 0 < counts[-1] <= 0.6 * NUM_PATCHES, "something must be dropped"


def test_both_kinds_of_models_and_of_methods_are_there() -> None:
    assert len(PICKING) > 15
    assert len(MERGING) > 5
    asking = [name for name, method in METHODS.items() if method.needs.encoder]
    assert len(asking) > 5
    assert set(VISION_MODELS) < set(MODELS)


def test_settings_are_of_methods_that_there_are() -> None:
    assert set(SIZED) <= set(list_methods())
    assert {base for base, _ in VARIANTS.values()} <= set(list_methods())
    assert not set(VARIANTS) & set(list_methods())


def test_a_new_method_is_run_without_a_line_here() -> None:
    register(LargestNorm)
    try:
        found = methods()[LargestNorm.name]
    finally:
        unregister(LargestNorm.name)
    assert isinstance(found, LargestNorm)
    assert found.keep_ratio == 0.3
    assert runs_on("llama", found)
