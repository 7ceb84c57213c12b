"""The published implementations' outputs, reproduced on their own files."""

from __future__ import annotations

import json
from pathlib import Path
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
)

from pruneviz import FastV, PyramidDrop, TransPrune, VisionZip, get_method, ops, prune
from tests.helpers import BACKENDS

DATA = Path(__file__).parent / "data"
CASES = ("base", "low", "odd")


def metadata(name: str) -> dict[str, Any]:
    with safe_open(DATA / name, "pt") as file:
        return dict(json.loads(file.metadata()["meta"]))


def build(sizes: dict[str, Any], backend: str) -> LlamaForCausalLM:
    config = LlamaConfig(
        hidden_size=sizes["D"],
        intermediate_size=sizes["F"],
        num_hidden_layers=sizes["L"],
        num_attention_heads=sizes["H"],
        vocab_size=sizes["V"],
        rms_norm_eps=1e-6,
        rope_theta=1e4,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        attn_implementation=backend,
    )
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    model.generation_config.eos_token_id = None
    return model


def visual_mask(sizes: dict[str, Any], embeds: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros(1, embeds.shape[1], dtype=torch.bool)
    mask[:, sizes["n_sys"] : sizes["n_sys"] + sizes["n_img"]] = True
    return mask


class Published:
    """A TransPrune case: model, inputs, reference."""

    def __init__(self, case: str, backend: str) -> None:
        self.sizes = json.loads((DATA / f"{case}_s0.json").read_text())
        self.model = build(self.sizes, backend)
        self.model.load_state_dict(load_file(DATA / f"{case}_s0.weights.safetensors"), strict=True)
        self.wanted = load_file(DATA / f"{case}_s0.tensors.safetensors")
        self.embeds = self.wanted["inputs_embeds"][None]
        self.visual = visual_mask(self.sizes, self.embeds)
        self.method = TransPrune(
            prune_layers=tuple(self.sizes["prune"]),
            keep_ratios=tuple(self.sizes["ratio"]),
            accumulate_layers=tuple(self.sizes["acc"]),
        )


@pytest.fixture(params=[(c, b) for c in CASES for b in BACKENDS], ids="-".join)
def published(request: pytest.FixtureRequest) -> Published:
    return Published(*request.param)


def test_transprune(published: Published) -> None:
    model, wanted, sizes = published.model, published.wanted, published.sizes
    with prune(model, published.method, visual_mask=published.visual) as run:
        out = model(inputs_embeds=published.embeds)
    trace = run.trace
    assert len(trace.stages) == len(sizes["prune"])
    assert [len(s.kept) for s in trace.stages] == sizes["keep"]
    alive = torch.arange(sizes["n_img"])
    for number, stage in enumerate(trace.stages):
        head = f"stage{number}."
        assert stage.layer == sizes["prune"][number]
        assert stage.alive.tolist() == alive.tolist()
        assert stage.kept.tolist() == wanted[head + "kept_original"].tolist()
        # The published score is the plain sum of both terms, twice ours at alpha = 0.5.
        torch.testing.assert_close(
            2 * torch.tensor(stage.scores), wanted[head + "score"], rtol=1e-5, atol=1e-8
        )
        for ours, theirs in (("ttv", "ttv_norm"), ("iga", "attn_norm")):
            component = torch.tensor(stage.components[ours])
            torch.testing.assert_close(component, wanted[head + theirs], rtol=1e-5, atol=1e-8)
            assert float(component.sum()) == pytest.approx(1.0, abs=1e-5)
        alive = wanted[head + "kept_original"]
    assert list(trace.kv_lengths) == sizes["kv_len"]
    held = [layer.get_seq_length() for layer in out.past_key_values.layers]
    assert held == sizes["kv_len"]
    torch.testing.assert_close(out.logits[0], wanted["logits"], rtol=0, atol=1e-4)


def test_transprune_greedy_continuation(published: Published) -> None:
    model, wanted = published.model, published.wanted
    with prune(model, published.method, visual_mask=published.visual):
        out = model.generate(
            inputs_embeds=published.embeds,
            max_new_tokens=len(wanted["greedy_ids"]),
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
    assert out.sequences[0].tolist() == wanted["greedy_ids"].tolist()
    logits = torch.stack(out.logits)[:, 0]
    torch.testing.assert_close(logits, wanted["greedy_logits"], rtol=0, atol=1e-4)


def test_unpruned(published: Published) -> None:
    logits = published.model(inputs_embeds=published.embeds).logits[0]
    torch.testing.assert_close(logits, published.wanted["logits_unpruned"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("settings", [{"positions": "keep"}, {}], ids=["published", "default"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_fastv(backend: str, settings: dict[str, str]) -> None:
    sizes = metadata("fastv_s0.ref.safetensors")
    model = build(sizes, backend)
    model.load_state_dict(load_file(DATA / "fastv_s0.weights.safetensors"), strict=True)
    wanted = load_file(DATA / "fastv_s0.ref.safetensors")
    embeds = wanted["inputs_embeds"][None]
    method = FastV(prune_layer=sizes["K"], keep_ratio=1 - sizes["R"])
    visual = visual_mask(sizes, embeds)
    with prune(model, method, visual_mask=visual, **settings) as run:
        logits = model(inputs_embeds=embeds).logits[0]
    assert run.trace.kept.tolist() == wanted["kept"].tolist()
    assert list(run.trace.kv_lengths) == sizes["kv_len"]
    score = torch.tensor(run.trace.stages[0].scores)
    torch.testing.assert_close(score, wanted["score"], rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(logits, wanted["logits"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_pyramiddrop(backend: str) -> None:
    sizes = metadata("pdrop_s1.ref.safetensors")
    stack = build(sizes, backend).model
    stack.load_state_dict(load_file(DATA / "pdrop_s1.weights.safetensors"), strict=True)
    wanted = load_file(DATA / "pdrop_s1.ref.safetensors")
    embeds = wanted["inputs_embeds"][None]
    method = get_method(
        "pyramiddrop",
        prune_layers=tuple(sizes["prune"]),
        keep_ratios=tuple(sizes["ratio"]),
        num_layers=sizes["L"],
    )
    assert isinstance(method, PyramidDrop)
    with prune(stack, method, visual_mask=visual_mask(sizes, embeds)) as run:
        states = stack(inputs_embeds=embeds).last_hidden_state[0]
    for number, stage in enumerate(run.trace.stages):
        assert stage.kept.tolist() == wanted[f"stage{number}.kept_original"].tolist()
    assert len(run.trace.stages) == len(sizes["prune"])
    torch.testing.assert_close(states, wanted["last_hidden_state"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_visionzip(backend: str) -> None:
    """The published tokens, projected, are what the LLM is given, in the published order."""
    meta = metadata("visionzip_s0.tensors_vz.safetensors")
    wanted = load_file(DATA / "visionzip_s0.tensors_vz.safetensors")
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    names += ("image_size", "patch_size", "layer_norm_eps", "hidden_act")
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**{name: meta["config"][name] for name in names}),
        text_config=LlamaConfig(
            vocab_size=32,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
        ),
        image_token_id=5,
        image_token_index=5,
        attn_implementation=backend,
    )
    model = LlavaForConditionalGeneration(config).eval().requires_grad_(False)
    clip = load_file(DATA / "visionzip_s0.clip.safetensors")
    tower = model.model.vision_tower
    start = "vision_model." if hasattr(tower, "vision_model") else ""
    tower.load_state_dict({start + k.removeprefix("vision_model."): v for k, v in clip.items()})
    ids = torch.tensor([[1, *[5] * 196, 7, 8]] * 2)
    method = VisionZip(
        keep_tokens=meta["dominant"] + meta["contextual"], contextual_tokens=meta["contextual"]
    )
    given: dict[str, Any] = {}
    with prune(model, method) as run:
        stack = model.model.language_model
        stack.register_forward_pre_hook(lambda _, __, kw: given.update(kw), with_kwargs=True)
        model(input_ids=ids, pixel_values=wanted["pixel_values"])
    tokens = model.model.multi_modal_projector(wanted["tokens"])
    torch.testing.assert_close(given["inputs_embeds"][:, 1:-2], tokens, rtol=1e-4, atol=1e-4)
    for row, trace in enumerate(run.traces):
        stage = trace.stages[0]
        # The published indices count CLS as 0.
        dominant = sorted(int(i) - 1 for i in wanted["all_indices"][row] if i > 0)
        assert set(dominant) <= set(stage.kept.tolist())
        assert len(stage.kept) + stage.extra == tokens.shape[1]


def test_divprune() -> None:
    wanted = load_file(DATA / "divprune_s0.ref.safetensors")
    order = ops.max_min_diversity(wanted["features"], len(wanted["order"]))
    assert order.tolist() == wanted["order"].tolist()
    order, distance, rest = ops.diversity_profile(wanted["features"], len(order))
    assert order.tolist() == wanted["order"].tolist()
    unit = torch.nn.functional.normalize(wanted["features"], dim=-1)
    apart = 1 - unit @ unit.T
    for place in range(1, len(order)):
        nearest = apart[order[place], order[:place]].min()
        torch.testing.assert_close(distance[place], nearest, atol=1e-6, rtol=0)
    torch.testing.assert_close(rest, apart[:, order].amin(1), atol=1e-6, rtol=0)
    assert (distance.diff() <= 1e-6).all()


def test_cdpruner() -> None:
    """Relevance as published: negated CLIP cosine, mean over texts, min-max with 1e-6."""
    wanted = load_file(DATA / "cdpruner_s0.ref.safetensors")
    image, text = (
        torch.nn.functional.normalize(wanted[name], dim=-1)
        for name in ("image_embeds", "text_embeds")
    )
    relevance = -(image @ text.T).mean(-1)
    low, high = relevance.min(), relevance.max()
    relevance = (relevance - low + 1e-6) / (high - low)
    order = ops.conditional_dpp(wanted["features"], relevance, len(wanted["kept"]))
    assert order.sort().values.tolist() == wanted["kept"].tolist()
    unit = torch.nn.functional.normalize(wanted["features"].double(), dim=-1)
    same = ops.residual_greedy(unit, relevance.double().square(), len(wanted["kept"]))
    assert order.tolist() == same.tolist()
