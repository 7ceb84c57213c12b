"""FoPru's choices where an encoder has several layers to read and an image several crops."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from transformers import CLIPVisionModel

from pruneviz import Chain, FoPru, Pinned, TransPrune, VisionZip, load_model, ops, prune
from pruneviz.engine import Session
from pruneviz.engine.prepared import encoder_record
from pruneviz.errors import PruningError, UnsupportedModelError
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.models.llava import LlavaAdapter
from tests.helpers import TILED_MODELS, VISION_MODELS, clip_config, own_hooks, prompt, tiny
from tests.models.sessions import QUESTION, noise
from tests.tiny import KINDS


def run(kind: str, method: Method, **settings: Any) -> Any:
    case = prompt(kind)
    with prune(tiny(kind), method, **settings) as run:
        tiny(kind)(**case.inputs)
    return run.trace


@pytest.mark.parametrize("layer", [1, 2, 4, -1, -4])
def test_another_layer_is_read(layer: int) -> None:
    """Against the eager tower's own maps."""
    model, case = tiny("llava_clip", "eager"), prompt("llava_clip")
    maps = model.model.vision_tower(case.inputs["pixel_values"], output_attentions=True).attentions
    number = layer - 1 if layer > 0 else layer
    wanted = ops.fopru_significance(maps[number][0][:, 1:, 1:])
    trace = run("llava_clip", FoPru(keep_ratio=0.5, encoder_layer=layer))
    np.testing.assert_allclose(trace.stages[0].scores, wanted.numpy(), rtol=1e-4)


@pytest.mark.parametrize("kind", VISION_MODELS)
def test_the_layer_reaches_every_family(kind: str) -> None:
    """Naming the layer that is read anyway changes nothing, another one does, none is refused."""
    own = KINDS[kind].encoder_layer
    plain = run(kind, FoPru(keep_ratio=0.5)).stages[0].scores
    named = run(kind, FoPru(keep_ratio=0.5, encoder_layer=own)).stages[0].scores
    np.testing.assert_array_equal(plain, named)
    other = run(kind, FoPru(keep_ratio=0.5, encoder_layer=2)).stages[0].scores
    assert np.abs(other - plain).max() > 1e-6
    for missing in (5, -5):
        with pytest.raises(ValueError, match="has 4 layers: the one to read must be from 1 to 4"):
            run(kind, FoPru(keep_ratio=0.5, encoder_layer=missing))
    assert not own_hooks(tiny(kind))
    assert "get_image_features" not in vars(tiny(kind).model)


@pytest.mark.parametrize("layer", [1, -1])
def test_a_layer_that_sees_only_windows_is_refused(layer: int) -> None:
    with pytest.raises(ValueError, match=r"only within windows.*whole image: 2, 3"):
        run("qwen25_vl", FoPru(keep_ratio=0.5, encoder_layer=layer))


def test_numbers_of_numpy_are_numbers() -> None:
    assert type(FoPru(encoder_layer=np.int64(2)).encoder_layer) is int


@pytest.mark.parametrize("value", [0, 1.5, True, "last"])
def test_what_is_no_layer(value: Any) -> None:
    with pytest.raises(ValueError, match="encoder_layer must be a whole number"):
        FoPru(encoder_layer=value)


@pytest.mark.parametrize("method", [FoPru(keep_ratio=0.5), VisionZip(keep_tokens=9)])
def test_a_record_of_another_layer_is_refused(method: Method) -> None:
    """Whichever of the two names a layer; the same layer by another name is none other."""
    model, case, records = tiny("llava_clip"), prompt("llava_clip"), []
    for layer in (None, 1):
        handle = find_adapter(model).watch_vision(model, records.append, layer)
        embeds = find_adapter(model).embed(model, case.inputs)
        handle.remove()
    given = {"visual_mask": case.visual}
    first = FoPru(keep_ratio=0.5, encoder_layer=1)
    for wanted, record in ((first, records[0]), (method, records[1])):
        with (
            pytest.raises(PruningError, match="of the vision encoder, but the record"),
            prune(model, wanted, vision=record, **given),
        ):
            pass
    with prune(model, first, vision=records[1], **given) as run_:
        model(**embeds)
    assert run_.trace.kept.tolist() == run("llava_clip", first).kept.tolist()
    for name in (3, -2):
        named = FoPru(keep_ratio=0.5, encoder_layer=name)
        with prune(model, named, vision=records[0], **given) as run_:
            model(**embeds)
        assert run_.trace.kept.tolist() == run("llava_clip", FoPru(keep_ratio=0.5)).kept.tolist()


def test_a_tower_of_one_layer_can_be_read_by_its_number() -> None:
    config = SimpleNamespace(vision_feature_layer=-1, vision_feature_select_strategy="default")
    inner = SimpleNamespace(vision_tower=CLIPVisionModel(clip_config(layers=1)))
    model = SimpleNamespace(config=config, model=inner)
    assert LlavaAdapter().encoder_index(model, 1) == 0
    with pytest.raises(UnsupportedModelError, match=r"has 1 layers.*encoder_layer"):
        LlavaAdapter().encoder_index(model)


@pytest.mark.parametrize("wrap", ["chain", "pins"])
def test_chains_and_pins_ask_for_the_layer_too(wrap: str) -> None:
    inner = FoPru(keep_ratio=0.5, encoder_layer=1)
    later = TransPrune(prune_layers=(2,), keep_ratios=(0.5,))
    method: Method = Chain([inner, later]) if wrap == "chain" else Pinned(inner, keep=[0])
    alone = run("llava_clip", inner).stages[0].scores
    np.testing.assert_array_equal(run("llava_clip", method).stages[0].scores, alone)


def test_a_session_encodes_once_more_for_another_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(load_model(device="cpu"))
    prepared = session.prepare(noise((80, 60)), QUESTION)
    encoded = []

    def counted(*given: Any) -> Any:
        encoded.append(given[2])
        return encoder_record(*given)

    monkeypatch.setattr("pruneviz.engine.session.encoder_record", counted)
    tokens = {}
    for layer in (None, -2, 1, 1, None):
        method = FoPru(keep_ratio=0.25, encoder_layer=layer)
        tokens[layer] = session.compare(prepared, method).pruned.trace.kept.tolist()
    assert tokens[None] == tokens[-2] != tokens[1]
    assert encoded == [0]
    seen = session.seen_for(prepared, FoPru(encoder_layer=1))
    again = session.compare(seen, FoPru(keep_ratio=0.25))
    assert again.pruned.trace.kept.tolist() == tokens[None]
    with pytest.raises(ValueError, match="layers: the one to read must be"):
        session.ask(prepared, FoPru(encoder_layer=99))


@pytest.mark.parametrize("newlines", ["visual", "text"])
@pytest.mark.parametrize("kind", TILED_MODELS)
def test_every_crop_keeps_its_share(kind: str, newlines: str) -> None:
    """By hand: the best of each crop, as many as its size says, newlines with their row's end."""
    plain = run(kind, FoPru(keep_ratio=0.5), newlines=newlines)
    each = run(kind, FoPru(keep_ratio=0.5, crops="each"), newlines=newlines)
    assert len(each.kept) == len(plain.kept) == each.num_visual // 2
    significance = each.stages[0].components["significance"]
    np.testing.assert_array_equal(significance, plain.stages[0].scores)
    crop = crops_of(kind, newlines)
    assert len(crop) == each.num_visual
    assert len(np.unique(crop)) == KINDS[kind].crops
    for number in np.unique(crop):
        own = np.flatnonzero(crop == number)
        kept = np.intersect1d(own, each.kept)
        assert abs(len(kept) - len(own) / 2) < 1
        best = own[np.argsort(-significance[own], kind="stable")[: len(kept)]]
        assert sorted(best.tolist()) == kept.tolist()


def crops_of(kind: str, newlines: str) -> np.ndarray:
    """The crop of every visual token of the tiny prompts, from how they are put together."""
    if find_adapter(tiny(kind)).newline(tiny(kind)) is None:
        return np.repeat(np.arange(KINDS[kind].crops), 9)
    if kind == "llava_next":
        # A square image in the middle of two tiles: two columns of each, then the newline.
        rows = np.tile([1, 1, 2, 2, 2], 4)
    else:
        rows = np.concatenate([np.tile([a, a, b, b, b], 2) for a, b in ((1, 2), (3, 4))])
    crops = np.concatenate([np.zeros(16, dtype=int), rows])
    ends = 16 + 5 * np.arange(4) + 4
    return np.delete(crops, ends) if newlines == "text" else crops


def test_a_smaller_share_is_a_part_of_a_larger_one() -> None:
    kept = [
        set(run("smolvlm", FoPru(keep_tokens=count, crops="each")).kept.tolist())
        for count in (3, 9, 10, 17, 30)
    ]
    assert all(few < many for few, many in pairwise(kept))


def test_one_crop_is_ranked_as_ever() -> None:
    plain = run("llava_clip", FoPru(keep_ratio=0.3))
    each = run("llava_clip", FoPru(keep_ratio=0.3, crops="each"))
    assert plain.kept.tolist() == each.kept.tolist()


def test_what_does_not_go_together() -> None:
    with pytest.raises(ValueError, match="crops must be one of together, each"):
        FoPru(crops="both")
    with pytest.raises(ValueError, match="Rows reach over crops"):
        FoPru(strategy="row", crops="each")
    assert VisionZip().needs.encoder_layer is None
