"""Newer peers against the outputs of their published code."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from pruneviz import get_method, prune
from pruneviz.methods import Encoded, Stage
from pruneviz.methods.base import Text
from pruneviz.methods.dart import set_order
from pruneviz.ops import coverage_greedy, coverage_profile

DATA = Path(__file__).parent / "data" / "peers"
IMAGE, FIRST_WORD = 5, 8


def metadata(name: str) -> dict[str, Any]:
    with safe_open(DATA / name, "pt") as file:
        return dict(json.loads(file.metadata()["meta"]))


def reference(name: str) -> dict[str, torch.Tensor]:
    return load_file(DATA / f"{name}.ref.safetensors")


def context(
    states: torch.Tensor,
    attention: torch.Tensor | None = None,
    features: torch.Tensor | None = None,
    text: torch.Tensor | None = None,
) -> Any:
    """What a method asks, answered by tensors."""
    count = len(states)
    looked = torch.ones(count) if attention is None else attention
    kept = states if features is None else features
    final = (looked, kept)
    seen = Encoded(looked, kept, kept, kept[:0], lambda: final, lambda x: x, (), (count,))
    return SimpleNamespace(
        encoded=lambda: seen,
        visual_features=lambda: states,
        text_features=lambda: Text(text, ("given",)),
        alive=torch.arange(count),
    )


def test_scope_picks_as_published() -> None:
    data, meta = reference("scope_s0"), metadata("scope_s0.ref.safetensors")
    features, attention = data["features"][0], data["cls_attention"][0]
    method = get_method("scope", keep_tokens=meta["K"], alpha=meta["alpha"])
    scores = method.score(context(features, attention), Stage(0), meta["K"])
    assert scores.kept is not None
    assert scores.kept.tolist() == data["kept"][0].tolist()
    unit = torch.nn.functional.normalize(features, dim=-1)
    assert torch.allclose((unit @ unit.T)[0], data["similarity_row0"][0], rtol=1e-4, atol=1e-6)
    found = coverage_profile(unit @ unit.T, meta["K"], attention)
    assert found.order.tolist() == data["order"][0].tolist()
    assert torch.allclose(found.best.float(), data["coverage"][0], rtol=1e-4)


def test_holov_keeps_as_published() -> None:
    data, meta = reference("holov_s0"), metadata("holov_s0.ref.safetensors")
    method = get_method("holov", keep_tokens=meta["K"], overflow="zeros")
    asked = context(data["features"][0], data["cls_attention"][0])
    scores = method.score(asked, Stage(0), meta["K"])
    assert scores.merge is not None
    assert scores.merge.anchors.tolist() == data["order"][0].tolist()


@pytest.mark.parametrize("name", ["mmtok_s0", "mmtok_s1"])
def test_mmtok_covers_as_published(name: str) -> None:
    data, meta = reference(name), metadata(f"{name}.ref.safetensors")
    method: Any = get_method("mmtok", alpha=meta["alpha"], keep_tokens=meta["K"])
    states, features = data["vision_tokens"], data["vision_tokens_clip"]
    matrix = method._matrix(data["text_embeds"], states, features)
    allowed = torch.ones(len(states)).index_fill(0, data["padding"].long(), 0)
    found = coverage_profile(matrix, meta["K"], allowed)
    assert found.order.tolist() == data["order"].tolist()
    assert torch.allclose(found.best.float(), data["coverage"], rtol=1e-4)
    if not len(data["padding"]):
        asked = context(states, None, features, data["text_embeds"])
        scores = method.score(asked, Stage(0), meta["K"])
        assert scores.kept.tolist() == data["kept"].tolist()


@pytest.fixture(scope="module")
def tower() -> LlavaForConditionalGeneration:
    sizes = metadata("t0.clip.safetensors")["config"]
    text = LlamaConfig(
        vocab_size=32,
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**sizes),
        text_config=text,
        image_token_id=IMAGE,
        image_token_index=IMAGE,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config).eval()
    state = load_file(DATA / "t0.clip.safetensors")
    pixels = state.pop("pixel_values")
    inner = model.model
    nested = hasattr(inner.vision_tower, "vision_model")
    vision = {k: v for k, v in state.items() if k.startswith("vision_model.")}
    if not nested:
        vision = {k.removeprefix("vision_model."): v for k, v in vision.items()}
    missing, unexpected = inner.vision_tower.load_state_dict(vision, strict=False)
    assert not unexpected
    assert not [key for key in missing if "position_ids" not in key]
    head = "multi_modal_projector."
    inner.multi_modal_projector.load_state_dict(
        {k.removeprefix(head): v for k, v in state.items() if k.startswith(head)}
    )
    model.pixels = pixels
    return model.requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("scope", {}),
        ("holov", {"overflow": "zeros"}),
        ("mmtok", {}),
        ("hiprune", {"wrap": True}),
    ],
)
@pytest.mark.parametrize("image", [0, 1])
def test_the_model_is_given_the_published_tokens(
    tower: Any, name: str, settings: dict[str, Any], image: int
) -> None:
    data = reference(f"{name}_t0")
    keep = data["tokens"].shape[1]
    words = data.get("text_embeds", torch.randn(7, 24))
    tower.get_input_embeddings().weight[FIRST_WORD : FIRST_WORD + len(words)] = words
    text = torch.arange(FIRST_WORD, FIRST_WORD + len(words))
    ids = torch.cat([torch.tensor([1]), torch.full((576,), IMAGE), text])[None]
    given = []
    layer = tower.model.language_model.layers[0]
    handle = layer.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    try:
        with prune(tower, get_method(name, keep_tokens=keep, **settings)) as run:
            tower(input_ids=ids, pixel_values=tower.pixels[image : image + 1])
    finally:
        handle.remove()
    assert torch.allclose(given[-1][0, 1 : 1 + keep], data["tokens"][image], atol=1e-4)
    order = data["order" if "order" in data else "kept"][image]
    assert run.trace.kept.tolist() == sorted(order.tolist())


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(("rows", "tokens"), [(5, 9), (40, 12), (12, 40), (1, 6), (0, 4)])
def test_coverage_equals_a_naive_loop(rows: int, tokens: int, weighted: bool) -> None:
    generator = torch.Generator().manual_seed(rows + tokens)
    matrix = torch.rand(rows, tokens, generator=generator) - 0.2
    weight = torch.rand(tokens, generator=generator) if weighted else None
    best, picked = [0.0] * rows, []
    for _ in range(tokens):
        gains = {}
        for j in range(tokens):
            if j not in picked:
                gain = sum(max(0.0, float(matrix[r, j]) - best[r]) for r in range(rows))
                gains[j] = gain * (1.0 if weight is None else float(weight[j]))
        picked.append(max(gains, key=lambda j: (gains[j], -j)))
        best = [max(b, float(matrix[r, picked[-1]])) for r, b in enumerate(best)]
    order = coverage_greedy(matrix, tokens, weight).tolist()
    assert order == picked
    assert coverage_greedy(matrix, 3, weight).tolist() == picked[:3]


@pytest.mark.parametrize(
    ("matrix", "k", "weight", "message"),
    [
        (torch.ones(3), 1, None, "rows, tokens"),
        (torch.ones(3, 4), 5, None, "between 0 and 4"),
        (torch.ones(3, 4), -1, None, "between 0 and 4"),
        (torch.ones(3, 4), 1, torch.ones(3), r"\[4\]"),
    ],
)
def test_coverage_refuses_what_does_not_fit(matrix: Any, k: int, weight: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        coverage_greedy(matrix, k, weight)


def test_dart_takes_as_published() -> None:
    data, meta = reference("dart_s0"), metadata("dart_s0.ref.safetensors")
    first, count = meta["n_sys"], meta["n_img"]
    image, text = slice(first, first + count), slice(first + count, None)
    parts = {"visual": image, "after_image": text}
    keys = data["keys"].transpose(0, 1)
    places = torch.arange(len(keys))
    asked: Any = SimpleNamespace(
        own_keys=lambda tokens: keys[parts[tokens]],
        normed_states=lambda tokens: data["hidden_normed"][parts[tokens]],
        prompt_places=lambda tokens: places[parts[tokens]],
        real_text=lambda: None,
    )
    keep = len(data["kept"])
    scores = get_method("dart", keep_tokens=keep).score(asked, Stage(2), keep)
    assert scores.kept is not None
    assert scores.kept.tolist() == data["kept"].tolist()
    others = get_method("dart", keep_tokens=keep, pivots="norm").score(asked, Stage(2), keep)
    assert others.kept.tolist() != data["kept"].tolist()
    for count in (1, 3, 4, 5, 20, 133, 576):
        kept = get_method("dart", keep_tokens=count).score(asked, Stage(2), count).kept
        assert len(set(kept.tolist())) == count


def test_the_order_of_a_set_is_spelled_out() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(3000):
        size = int(torch.randint(1, 24, (1,), generator=generator))
        values = torch.randperm(4000, generator=generator)[:size].tolist()
        assert set_order(values) == list(set(values))


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_dart_prunes_a_model_as_published(backend: str) -> None:
    data, meta = reference("dart_t0"), metadata("dart_t0.ref.safetensors")
    config = LlamaConfig(
        hidden_size=meta["D"],
        intermediate_size=meta["F"],
        num_hidden_layers=meta["L"],
        num_attention_heads=meta["H"],
        num_key_value_heads=meta["KV"],
        vocab_size=meta["V"],
        rms_norm_eps=1e-6,
        tie_word_embeddings=False,
    )
    model: Any = LlamaForCausalLM(config).eval()
    model.load_state_dict(load_file(DATA / "dart_t0.weights.safetensors"))
    model.set_attn_implementation(backend)
    embeds = data["inputs_embeds"][None]
    visual = torch.zeros(embeds.shape[:2], dtype=torch.bool)
    visual[:, meta["n_sys"] : meta["n_sys"] + meta["n_img"]] = True
    method = get_method("dart", keep_tokens=meta["keep"], prune_layer=meta["K"])
    with prune(model, method, visual_mask=visual) as run, torch.no_grad():
        logits = model(inputs_embeds=embeds).logits[0]
        out = model.generate(
            inputs_embeds=embeds,
            max_new_tokens=6,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
    assert run.trace.kept.tolist() == data["kept"].tolist()
    assert list(run.trace.kv_lengths) == meta["kv_len"]
    assert torch.allclose(logits, data["logits"], atol=1e-4)
    assert out.sequences[0].tolist() == data["greedy_ids"].tolist()
    assert torch.allclose(torch.cat(out.logits), data["greedy_logits"], atol=1e-4)


def received(object_score: torch.Tensor, deep_score: torch.Tensor, grid: Any) -> Any:
    """What HiPrune asks, answered by tensors."""
    return SimpleNamespace(
        attention_received=lambda: (deep_score, object_score),
        blocks=lambda: (tuple(grid),),
        images=lambda: (len(deep_score),),
    )


def test_hiprune_keeps_as_published_on_llava() -> None:
    data, meta = reference("hiprune_s0"), metadata("hiprune_s0.ref.safetensors")
    for name in ("object", "deep"):
        means = data[f"attention_{name}"][0].mean((0, 1))[1:]
        assert torch.allclose(means, data[f"{name}_score"][0], rtol=1e-4)
    asked = received(data["object_score"][0], data["deep_score"][0], meta["grid"])
    keep = meta["K_image"]
    method = get_method("hiprune", keep_tokens=keep, wrap=True)
    assert method.score(asked, Stage(0), keep).kept.tolist() == data["kept"][0].tolist()


def test_hiprune_keeps_as_published_on_qwen_and_exactly_the_budget_otherwise() -> None:
    data, meta = reference("hiprune_s1"), metadata("hiprune_s1.ref.safetensors")
    keep = meta["K"]
    asked = received(data["object_score"], data["deep_score"], meta["grid"])
    published = get_method("hiprune", keep_tokens=keep, wrap=True, anchors="subtracted")
    assert published.score(asked, Stage(0), keep).kept.tolist() == data["kept"].tolist()
    assert len(data["kept"]) == keep - 1
    exact = get_method("hiprune", keep_tokens=keep).score(asked, Stage(0), keep).kept
    assert len(exact) == keep
    for count in (1, 2, 5, 30, 279, 280):
        kept = get_method("hiprune", keep_tokens=count, alpha=1.0).score(asked, Stage(0), count)
        assert len(set(kept.kept.tolist())) == count


def test_hiprune_prunes_a_qwen_model_as_published() -> None:
    data, meta = reference("hiprune_q0"), metadata("hiprune_q0.ref.safetensors")
    text = {
        "vocab_size": 32,
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2]},
    }
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=meta["config"],
        image_token_id=IMAGE,
        video_token_id=6,
        vision_start_token_id=3,
        vision_end_token_id=4,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model: Any = Qwen2_5_VLForConditionalGeneration(config).eval()
    state = {k.removeprefix("visual."): v for k, v in data.items() if k.startswith("visual.")}
    model.model.visual.load_state_dict(state)
    ids = torch.tensor([[3, *[IMAGE] * meta["N"], 4, 9, 10]])
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == IMAGE).int(),
        "pixel_values": data["pixel_values"],
        "image_grid_thw": data["image_grid_thw"].long(),
    }
    given = []
    layer = model.model.language_model.layers[0]
    handle = layer.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    settings = {"wrap": True, "anchors": "subtracted", "object_layer": meta["object_layer"]}
    with (
        torch.no_grad(),
        prune(model, get_method("hiprune", keep_tokens=meta["K"], **settings)) as run,
    ):
        model(**inputs)
    handle.remove()
    stage = run.trace.stages[0]
    assert torch.allclose(
        torch.tensor(stage.components["deep"]) * 4 * meta["N"], data["deep_score"], rtol=1e-3
    )
    assert run.trace.kept.tolist() == data["kept"].tolist()
    assert torch.allclose(given[-1][0, 1 : 1 + meta["n_kept"]], data["tokens"], atol=1e-4)
