"""Models whose weights accelerate keeps on the host and brings layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pruneviz import observe, prune
from pruneviz.errors import UnsupportedModelError
from tests.helpers import MODELS, fresh, hook_count, own_hooks, prompt, tiny
from tests.pruning.settings import METHODS, fits

accelerate = pytest.importorskip("accelerate")
NAMES = ("transprune", "fopru", "fastv", "visionzip", "sparsevlm_recycle")
Call = Callable[[Any, dict[str, Any]], torch.Tensor]


def _generate(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    return out


def _forward(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    logits: torch.Tensor = model(**inputs).logits
    return logits


def runs(call: Call, model: Any, inputs: dict[str, Any]) -> bool:
    """Whether the model itself, unpruned, runs so once it is moved."""
    try:
        call(model, inputs)
    except (RuntimeError, NotImplementedError):
        return False
    return True


@pytest.mark.parametrize("kind", MODELS)
def test_pruned_the_same_as_in_one_place(kind: str) -> None:
    model, case = fresh(kind), prompt(kind)
    names = [name for name in NAMES if fits(kind, name)]
    wanted = {}
    for name in names:
        for call in (_generate, _forward):
            with prune(model, METHODS[name], **case.prune_kwargs) as run:
                wanted[name, call] = call(model, case.inputs), run.trace.kept.tolist()
    accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    assert next(model.parameters()).is_meta
    before = hook_count(model)
    calls = [call for call in (_generate, _forward) if runs(call, model, case.inputs)]
    # Again: one that failed may have left weights where the next one then found them.
    calls = [call for call in calls if runs(call, model, case.inputs)]
    if not calls:
        pytest.skip("transformers itself cannot run this model so.")
    for name in names:
        for call in calls:
            with prune(model, METHODS[name], **case.prune_kwargs) as run:
                found = call(model, case.inputs)
            assert torch.equal(found, wanted[name, call][0]), name
            assert run.trace.kept.tolist() == wanted[name, call][1]
    with observe(model, **case.prune_kwargs) as run:
        calls[-1](model, case.inputs)
    assert set(run.trace.signals) == {"ttv", "iga", "residual"}
    assert hook_count(model) == before
    assert not own_hooks(model)


@pytest.mark.parametrize(
    ("places", "fine"),
    [
        ({"": 0}, True),
        ({"model.vision_tower": "cuda:0", "model.language_model": "cuda:1"}, False),
        ({"a": 0, "b": 1}, False),
        ({"a": 0, "b": 0, "c": "cpu", "d": "disk"}, True),
    ],
)
def test_models_split_over_devices_are_refused(
    places: dict[str, Any], fine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    monkeypatch.setattr(model, "hf_device_map", places, raising=False)
    if fine:
        with prune(model, METHODS["transprune"]):
            model(**case.inputs)
        return
    for block in (prune(model, METHODS["transprune"]), observe(model)):
        with pytest.raises(UnsupportedModelError, match="split over several devices"), block:
            pass
