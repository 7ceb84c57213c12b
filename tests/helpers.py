"""Tiny random models, prompts and independent oracles shared by the tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import torch
from torch import nn
from transformers import (
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

VOCABULARY, IMAGE, VISION_START, LAYERS = 96, 5, 3, 6
NUM_PATCHES = 36  # a 6 x 6 grid: 84 pixels by patches of 14
TEXT_MODELS = ("llama", "llama_gqa", "qwen2")
LLAVA_MODELS = ("llava_clip", "llava_siglip")
QWEN_MODELS = ("qwen25_vl", "qwen2_vl", "qwen3_vl")
QWEN_PATCH = {"qwen25_vl": 14, "qwen2_vl": 14, "qwen3_vl": 16}
DEEPSTACK = 3  # decoder layers of qwen3_vl that get visual features
IDEFICS_MODELS = ("smolvlm", "idefics3")
TILED_MODELS = ("llava_next", "llava_onevision", *IDEFICS_MODELS, "internvl")
VISION_MODELS = (*LLAVA_MODELS, *TILED_MODELS, *QWEN_MODELS)
MODELS = TEXT_MODELS + VISION_MODELS
BACKENDS = ("sdpa", "eager")


def randomise(model: nn.Module, seed: int) -> None:
    """Weights far from zero, so that attention and transitions differ between tokens."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=generator)
            gain = "norm" in name and name.endswith("weight")
            weight.copy_(1.0 + 0.2 * noise if gain else 0.15 * noise)


def text_config(kind: str, layers: int = LAYERS) -> Any:
    common = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": None,
        "pad_token_id": 0,
    }
    if kind == "qwen2":
        return Qwen2Config(num_key_value_heads=2, **common)
    return LlamaConfig(num_key_value_heads=2 if kind == "llama_gqa" else 4, **common)


def _llava_config(kind: str) -> LlavaConfig:
    sizes = {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "image_size": 84,
        "patch_size": 14,
    }
    clip = kind == "llava_clip"
    vision = CLIPVisionConfig(**sizes) if clip else SiglipVisionConfig(**sizes)
    return LlavaConfig(
        vision_config=vision,
        text_config=text_config("llama" if clip else "qwen2"),
        image_token_id=IMAGE,
        image_token_index=IMAGE,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default" if clip else "full",
        image_seq_length=NUM_PATCHES,
        tie_word_embeddings=False,
    )


def clip_config(layers: int = 4) -> CLIPVisionConfig:
    """A tower that cuts 56 pixels into 4 x 4 patches."""
    return CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=3,
        image_size=56,
        patch_size=14,
    )


def _next_config() -> LlavaNextConfig:
    """Crops of 4 x 4 patches. A square image is put into the middle of two tiles.

    That makes 16 tokens of the whole image, and 4 rows of 4 tokens and a newline: 36 again.
    """
    return LlavaNextConfig(
        vision_config=clip_config(),
        text_config=text_config("llama_gqa"),
        image_token_id=IMAGE,
        image_token_index=IMAGE,
        image_grid_pinpoints=[[56, 112], [112, 56], [112, 112]],
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )


def onevision_config(**settings: Any) -> LlavaOnevisionConfig:
    """Crops of 4 x 4 patches, which leave 4 pixels out. At most one crop's tokens of tiles.

    A square image of 100 pixels fills 2 x 2 tiles of 16 patches, which are scaled down to 4 x 4:
    with the whole image and newlines 36 tokens again.
    """
    vision = SiglipVisionConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=3,
        image_size=60,
        patch_size=14,
        vision_use_head=False,
    )
    given = {
        "vision_config": vision,
        "image_grid_pinpoints": [[60, 120], [120, 60], [120, 120], [180, 120]],
        "vision_aspect_ratio": "anyres_max_1",
    }
    return LlavaOnevisionConfig(
        text_config=text_config("qwen2"),
        image_token_index=IMAGE,
        video_token_index=6,
        **(given | settings),
    )


def _qwen_model(kind: str) -> Any:
    """Images of 12 x 12 patches, so 6 x 6 visual tokens, in windows of 2 x 2 for Qwen2.5-VL.

    Qwen3-VL: positions are interpolated from 8 x 8, three decoder layers get features.
    """
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": None,
        "pad_token_id": 0,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e4,
            "mrope_section": [2, 1, 1],
        },
    }
    vision: dict[str, Any] = {"depth": 4, "num_heads": 2, "spatial_merge_size": 2}
    vision["patch_size"] = QWEN_PATCH[kind]
    ids = {
        "image_token_id": IMAGE,
        "video_token_id": 6,
        "vision_start_token_id": VISION_START,
        "vision_end_token_id": 4,
        "tie_word_embeddings": False,
    }
    if kind == "qwen2_vl":
        vision |= {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
        return Qwen2VLForConditionalGeneration(
            Qwen2VLConfig(text_config=text, vision_config=vision, **ids)
        )
    vision |= {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 32}
    if kind == "qwen3_vl":
        text["head_dim"] = 8
        vision |= {"num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1, 2]}
        return Qwen3VLForConditionalGeneration(
            Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
        )
    vision |= {
        "window_size": 56,
        "fullatt_block_indexes": [1, 2],
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision, **ids)
    )


def _idefics_model(kind: str) -> Any:
    """Crops of 6 x 6 patches, so 3 x 3 visual tokens; SmolVLM's are 6 pixels larger than those."""
    vision = {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "image_size": 90 if kind == "smolvlm" else 84,
        "patch_size": 14,
    }
    smol = kind == "smolvlm"
    settings = {
        "text_config": text_config("llama_gqa" if smol else "llama"),
        "vision_config": vision,
        "scale_factor": 2,
        "image_token_id": IMAGE,
        "tie_word_embeddings": False,
    }
    if smol:
        return SmolVLMForConditionalGeneration(SmolVLMConfig(**settings))
    return Idefics3ForConditionalGeneration(Idefics3Config(**settings))


def _internvl_config() -> InternVLConfig:
    """Crops of 6 x 6 patches, so 3 x 3 visual tokens."""
    vision = {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "image_size": 84,
        "patch_size": 14,
        "attention_bias": True,
        "use_qk_norm": True,
        "norm_type": "rms_norm",
    }
    return InternVLConfig(
        text_config=text_config("qwen2"),
        vision_config=vision,
        image_token_id=IMAGE,
        image_seq_length=9,
        tie_word_embeddings=False,
    )


def fresh(kind: str, layers: int = LAYERS) -> Any:
    """A tiny model that nothing has run yet."""
    torch.manual_seed(0)
    if kind in LLAVA_MODELS:
        model: Any = LlavaForConditionalGeneration(_llava_config(kind))
    elif kind in QWEN_MODELS:
        model = _qwen_model(kind)
    elif kind in IDEFICS_MODELS:
        model = _idefics_model(kind)
    elif kind == "internvl":
        model = InternVLForConditionalGeneration(_internvl_config())
    elif kind == "llava_next":
        model = LlavaNextForConditionalGeneration(_next_config())
    elif kind == "llava_onevision":
        model = LlavaOnevisionForConditionalGeneration(onevision_config())
    elif kind == "qwen2":
        model = Qwen2ForCausalLM(text_config(kind, layers))
    else:
        model = LlamaForCausalLM(text_config(kind, layers))
    randomise(model, seed=len(kind) + layers)
    model.eval().requires_grad_(False)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


_model = lru_cache(maxsize=None)(fresh)


def tiny(kind: str, backend: str = "sdpa", layers: int = LAYERS) -> Any:
    """A tiny model, built once; the attention backend is set anew each time."""
    model = _model(kind, layers)
    model.set_attn_implementation(backend)
    assert model.config._attn_implementation == backend
    return model


@dataclass
class Prompt:
    """Inputs of a model and what the oracles need to know about them."""

    inputs: dict[str, torch.Tensor]
    visual: torch.Tensor
    embeds: torch.Tensor
    positions: torch.Tensor | None = None
    added: tuple[torch.Tensor, ...] = ()
    """What the model adds to the hidden states after its first layers, ``[1, n, d]`` each."""

    @property
    def prune_kwargs(self) -> dict[str, Any]:
        encodes = any(name.startswith("pixel_values") for name in self.inputs)
        return {} if encodes else {"visual_mask": self.visual}


def prompt(kind: str, seed: int = 0, before: int = 3, after: int = 7, images: int = 1) -> Prompt:
    """A prompt of `before` text tokens, the image and `after` text tokens, batch 1."""
    generator = torch.Generator().manual_seed(100 + seed)
    model = _model(kind, LAYERS)
    count = NUM_PATCHES * images
    ids = torch.randint(8, VOCABULARY, (1, before + count + after), generator=generator)
    visual = torch.zeros_like(ids, dtype=torch.bool)
    visual[:, before : before + count] = True
    if kind in QWEN_MODELS and images and before:
        ids[:, before - 1] = VISION_START  # older releases count a prompt's images by it
    if kind in IDEFICS_MODELS:
        return _idefics_prompt(model, ids, visual, images, generator)
    embeds = model.get_input_embeddings()(ids)
    if kind in (*LLAVA_MODELS, "internvl"):
        ids = ids.masked_fill(visual, IMAGE)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if images:
            crops = images * (4 if kind == "internvl" else 1)
            pixels = torch.randn(crops, 3, 84, 84, generator=generator)
            inputs["pixel_values"] = pixels
            rows = model.model.get_image_features(
                pixel_values=pixels, return_dict=True
            ).pooler_output
            embeds = embeds.masked_scatter(visual[..., None], torch.cat(list(rows)))
        return Prompt(inputs, visual, embeds)
    if kind in TILED_MODELS:
        return _tiled_prompt(model, ids.masked_fill(visual, IMAGE), visual, images, generator)
    if kind in QWEN_MODELS:
        return _qwen_prompt(model, ids.masked_fill(visual, IMAGE), visual, images, generator)
    noise = 0.3 * torch.randn(embeds.shape, generator=generator)
    embeds = torch.where(visual[..., None], noise, embeds)
    return Prompt({"inputs_embeds": embeds}, visual, embeds)


def _tiled_prompt(
    model: Any, ids: torch.Tensor, visual: torch.Tensor, images: int, generator: torch.Generator
) -> Prompt:
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    embeds = model.get_input_embeddings()(ids)
    if images:
        onevision = isinstance(model, LlavaOnevisionForConditionalGeneration)
        crops, crop, side = (5, 60, 100) if onevision else (3, 56, 50)
        pixels = torch.randn(images, crops, 3, crop, crop, generator=generator)
        inputs |= {"pixel_values": pixels, "image_sizes": torch.tensor([[side, side]] * images)}
        rows = model.model.get_image_features(
            pixels, inputs["image_sizes"], return_dict=True
        ).pooler_output
        embeds = embeds.masked_scatter(visual[..., None], torch.cat(list(rows)))
    return Prompt(inputs, visual, embeds)


def _idefics_prompt(
    model: Any, ids: torch.Tensor, visual: torch.Tensor, images: int, generator: torch.Generator
) -> Prompt:
    """Four crops an image, and two words of text before the tokens of every crop but the first."""
    places = visual[0].nonzero().squeeze(-1)[9::9].tolist()
    for place in reversed(places):
        words = torch.randint(8, VOCABULARY, (1, 2), generator=generator)
        ids = torch.cat([ids[:, :place], words, ids[:, place:]], dim=1)
        gap = torch.zeros_like(words, dtype=torch.bool)
        visual = torch.cat([visual[:, :place], gap, visual[:, place:]], dim=1)
    ids = ids.masked_fill(visual, IMAGE)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    embeds = model.get_input_embeddings()(ids)
    if images:
        side = model.config.vision_config.image_size
        pixels = torch.randn(1, 4 * images, 3, side, side, generator=generator)
        inputs |= {
            "pixel_values": pixels,
            "pixel_attention_mask": torch.ones_like(pixels[:, :, 0]).long(),
        }
        rows = model.model.get_image_features(pixels, return_dict=True).pooler_output
        embeds = embeds.masked_scatter(visual[..., None], torch.cat(list(rows)))
    return Prompt(inputs, visual, embeds)


def _qwen_prompt(
    model: Any, ids: torch.Tensor, visual: torch.Tensor, images: int, generator: torch.Generator
) -> Prompt:
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["mm_token_type_ids"] = visual.int()
    embeds = model.get_input_embeddings()(ids)
    positions = torch.arange(ids.shape[1])[None]
    added: tuple[torch.Tensor, ...] = ()
    if images:
        # All images together: one group of image tokens must not hold two of them.
        grid = torch.tensor([[1, 12, 12 * images]])
        side = model.config.vision_config.patch_size
        pixels = torch.randn(144 * images, 3 * 2 * side**2, generator=generator)
        inputs |= {"pixel_values": pixels, "image_grid_thw": grid}
        encoded = model.model.get_image_features(pixels, grid, return_dict=True)
        embeds = embeds.masked_scatter(visual[..., None], torch.cat(list(encoded.pooler_output)))
        added = deepstack_of(encoded, visual, embeds)
        positions, _ = model.model.get_rope_index(
            input_ids=ids, mm_token_type_ids=visual.int(), image_grid_thw=grid
        )
    return Prompt(inputs, visual, embeds, positions, added)


def deepstack_of(
    encoded: Any, visual: torch.Tensor, embeds: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Features of the earlier encoder layers at the visual places, zero elsewhere."""
    return tuple(
        torch.zeros_like(embeds).masked_scatter(visual[..., None], torch.cat(list(rows)))
        for rows in getattr(encoded, "deepstack_features", None) or ()
    )


def left_padded(prompts: list[Prompt]) -> Prompt:
    """Several prompts of batch 1 as one left-padded batch with an attention mask."""
    width = max(p.visual.shape[1] for p in prompts)
    pads = [width - p.visual.shape[1] for p in prompts]

    def pad(rows: list[torch.Tensor], value: float) -> torch.Tensor:
        return torch.cat(
            [
                torch.cat([row.new_full((1, n, *row.shape[2:]), value), row], dim=1)
                for row, n in zip(rows, pads, strict=True)
            ]
        )

    visual = pad([p.visual for p in prompts], False)
    embeds = pad([p.embeds for p in prompts], 0.0)
    mask = pad([torch.ones_like(p.visual).long() for p in prompts], 0)
    inputs = {"attention_mask": mask}
    if "input_ids" in prompts[0].inputs:
        inputs["input_ids"] = pad([p.inputs["input_ids"] for p in prompts], 0)
        for name in ("pixel_values", "pixel_attention_mask", "image_grid_thw", "image_sizes"):
            parts = [p.inputs[name] for p in prompts if name in p.inputs]
            if parts:
                inputs[name] = torch.cat(_with_blank_crops(parts))
        if "mm_token_type_ids" in prompts[0].inputs:
            inputs["mm_token_type_ids"] = pad([p.inputs["mm_token_type_ids"] for p in prompts], 0)
    else:
        inputs["inputs_embeds"] = embeds
    return Prompt(inputs, visual, embeds)


def _with_blank_crops(parts: list[torch.Tensor]) -> list[torch.Tensor]:
    """Where rows have several crops each, as many in every row, blank ones filling up."""
    if parts[0].ndim < 4 or len({part.shape[1:] for part in parts}) == 1:
        return parts
    most = max(part.shape[1] for part in parts)
    return [
        torch.cat([part, part.new_zeros(1, most - part.shape[1], *part.shape[2:])], dim=1)
        for part in parts
    ]


def stack_of(model: Any) -> Any:
    """The decoder stack of any of the tiny models."""
    inner = getattr(model.model, "text_model", model.model)
    return getattr(inner, "language_model", inner)


def hook_count(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def own_hooks(model: nn.Module) -> list[Any]:
    """Hooks that this library registered (transformers leaves some of its own)."""
    hooks = [
        hook
        for module in model.modules()
        for hook in [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    ]
    return [hook for hook in hooks if str(hook.__module__).startswith("pruneviz")]


def alive_columns(visual: torch.Tensor, trace: Any, num_layers: int) -> list[torch.Tensor]:
    """For each decoder layer, bool ``[sequence]``: the prompt columns that it may still see."""
    places = visual.nonzero().squeeze(-1)
    out = []
    for layer in range(num_layers):
        alive = torch.ones_like(visual)
        for stage in trace.stages:
            if stage.layer <= layer:
                alive[places] = False
                alive[places[torch.from_numpy(stage.kept)]] = True
        out.append(alive)
    return out


def masked_run(
    model: Any,
    embeds: torch.Tensor,
    alive: list[torch.Tensor],
    renumber: bool | list[bool],
    given: torch.Tensor | None = None,
    added: tuple[torch.Tensor, ...] = (),
) -> torch.Tensor:
    """Logits of a full-length run in which every layer's mask hides what was dropped before it.

    Nothing is removed and nothing cached: `embeds` ``[1, n, d]`` may hold generated tokens after
    the prompt, for which `alive` (one bool row per layer, prompt columns) is taken as True.
    `renumber` may differ by layer. `given` are the prompt's positions, counted if None; `added`
    what the first layers' outputs get on top, for all of the prompt.
    """
    stack = stack_of(model)
    length = embeds.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    hidden = embeds
    fresh_ids = [renumber] * len(alive) if isinstance(renumber, bool) else renumber
    for layer, seen, anew, more in zip_longest(stack.layers, alive, fresh_ids, added):
        visible = torch.cat([seen, seen.new_ones(length - len(seen))])
        allowed = causal & visible[None, :]
        allowed |= torch.eye(length, dtype=torch.bool)  # a dropped row needs some key
        mask = torch.zeros(length, length, dtype=embeds.dtype)
        mask = mask.masked_fill(~allowed, torch.finfo(embeds.dtype).min)[None, None]
        positions = continued(given, length)
        if anew and not bool(visible.all()):
            positions = (visible.long().cumsum(0) - 1).clamp_min(0).expand_as(positions)
        rotary = stack.rotary_emb(hidden, position_ids=positions)
        hidden = layer(hidden, attention_mask=mask, position_embeddings=rotary)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        if more is not None:
            hidden = torch.cat([hidden[:, : len(seen)] + more, hidden[:, len(seen) :]], dim=1)
    return model.lm_head(stack.norm(hidden))[0]


def continued(positions: torch.Tensor | None, length: int) -> torch.Tensor:
    """A prompt's positions ``[..., 1, n]`` and those of the tokens after it."""
    if positions is None:
        return torch.arange(length)[None]
    more = torch.arange(1, length - positions.shape[-1] + 1)
    return torch.cat([positions, positions[..., -1:] + more], dim=-1)


def with_generated(model: Any, embeds: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """A prompt's embeddings ``[1, n, d]`` followed by those of generated ids ``[t]``."""
    return torch.cat([embeds, model.get_input_embeddings()(ids)[None]], dim=1)


def new_tokens(run: dict[str, torch.Tensor], sequences: torch.Tensor) -> torch.Tensor:
    """The generated part of `sequences` (prompt ids are only there where ids were given)."""
    given = run["input_ids"].shape[1] if "input_ids" in run else 0
    return sequences[:, given:]


def close(a: torch.Tensor, b: torch.Tensor, atol: float = 1e-4) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, atol=atol, rtol=1e-4)
