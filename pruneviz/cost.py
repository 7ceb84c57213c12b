"""What a run costs: the papers' FLOPs, the true ones, and the KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

CONVENTIONS = {
    "3ndm": (3, 1),
    "2ndm": (2, 1),
    "2x3ndm": (3, 2),
}
"""FFN factor and overall factor. ``3ndm``: PyramidDrop and TransPrune (Eq. 7), gated FFN, visual
tokens only. ``2ndm``: FastV, VisionZip, DivPrune. ``2x3ndm``: CDPruner's tables, two FLOPs per
multiply-accumulate."""


def paper_tflops(
    tokens_per_layer: Sequence[int],
    hidden_size: int,
    intermediate_size: int,
    convention: str = "3ndm",
) -> float:
    """FLOPs of the decoder as the papers count them, in 10^12.

    Parameters
    ----------
    tokens_per_layer : sequence of int
        Tokens seen by each decoder layer (visual tokens only in the papers' tables).
    hidden_size, intermediate_size : int
        Width d of the LLM and m of its FFN.
    convention : {"3ndm", "2ndm", "2x3ndm"}
        Per layer ``4 n d^2 + 2 n^2 d + 3 n d m``, the same with ``2 n d m``, or twice the first.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        On an unknown convention.

    Notes
    -----
    A multiply-accumulate counts once in the first two. Grouped-query attention, text, vision
    encoder and the cost of scoring are left out: see :func:`true_flops`.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {', '.join(CONVENTIONS)}, not {convention!r}.")
    ffn, factor = CONVENTIONS[convention]
    d, m = hidden_size, intermediate_size
    return (
        factor
        * sum(4 * n * d * d + 2 * n * n * d + ffn * n * d * m for n in tokens_per_layer)
        / 1e12
    )


@dataclass(frozen=True)
class ModelShape:
    """Sizes that decide what a forward costs.

    Attributes
    ----------
    layers, hidden, intermediate, heads, kv_heads, head_dim, vocabulary : int
        Of the language model.
    vision_layers, vision_hidden, vision_intermediate, vision_tokens, patch_values : int
        Of the vision encoder (0 where there is none); `patch_values` are the numbers in a patch.
    vision_matrices : int
        Matrices of an encoder FFN: 2, or 3 with a gate.
    vision_window, vision_full_layers : int
        Tokens that a token attends to in layers with windows (0: no windows), and how many
        layers attend to the whole image all the same.
    merge : int
        Patches that the projector merges into one visual token.
    projectors : int
        How many of them: one for each encoder layer whose features the language model gets.
    projector_width : int or None
        Width between the projector's two matrices; 0 where it is a single one, None for the
        LLM's width.
    value_bytes : int
        Bytes per element of the KV cache.
    """

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    value_bytes: int
    vision_layers: int = 0
    vision_hidden: int = 0
    vision_intermediate: int = 0
    vision_tokens: int = 0
    patch_values: int = 0
    vision_matrices: int = 2
    vision_window: int = 0
    vision_full_layers: int = 0
    merge: int = 1
    projectors: int = 1
    projector_width: int | None = None

    @classmethod
    def of(
        cls, config: Any, value_bytes: int, vision_tokens: int = 0, crops: int = 1
    ) -> ModelShape:
        """Read a transformers configuration (of a VLM or of a language model).

        `vision_tokens` are those of all `crops`, which the encoder sees one by one.
        """
        text = getattr(config, "text_config", config)
        vision = getattr(config, "vision_config", None)
        heads = text.num_attention_heads
        shape = cls(
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            intermediate=text.intermediate_size,
            heads=heads,
            kv_heads=getattr(text, "num_key_value_heads", None) or heads,
            head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
            vocabulary=text.vocab_size,
            value_bytes=value_bytes,
        )
        if vision is None:
            return shape
        sizes = _vision_shape(vision) | _shuffled(config)
        if crops > 1:
            sizes |= {"vision_window": vision_tokens // crops}
        return replace(shape, vision_tokens=vision_tokens, **sizes)


def _shuffled(config: Any) -> dict[str, int]:
    """Patches that pixel shuffle joins, of the families whose projector does that."""
    if hasattr(config, "scale_factor"):  # SmolVLM and Idefics3: one matrix
        return {"merge": config.scale_factor**2, "projector_width": 0}
    if hasattr(config, "downsample_ratio"):  # InternVL: two, the LLM's width between them
        return {"merge": round(1 / config.downsample_ratio) ** 2}
    return {}


def _vision_shape(vision: Any) -> dict[str, int]:
    """Sizes of a CLIP-like encoder, or of one of the Qwen family."""
    channels = getattr(vision, "num_channels", 3)
    side = vision.patch_size
    values = channels * (side**2 if isinstance(side, int) else side[0] * side[1])
    if not hasattr(vision, "spatial_merge_size"):
        return {
            "vision_layers": vision.num_hidden_layers,
            "vision_hidden": vision.hidden_size,
            "vision_intermediate": vision.intermediate_size,
            "patch_values": values,
        }
    width = getattr(vision, "embed_dim", None) or vision.hidden_size
    # Qwen2-VL gives its FFN's width as a ratio; Qwen3-VL, known by its deepstack, has no gate.
    sized = hasattr(vision, "intermediate_size")
    deepstack = getattr(vision, "deepstack_visual_indexes", None)
    full = getattr(vision, "fullatt_block_indexes", None)
    return {
        "vision_layers": vision.depth,
        "vision_hidden": width,
        "vision_intermediate": (
            vision.intermediate_size if sized else int(width * vision.mlp_ratio)
        ),
        "patch_values": values * vision.temporal_patch_size,
        "vision_matrices": 3 if sized and deepstack is None else 2,
        "vision_window": (vision.window_size // vision.patch_size) ** 2 if full else 0,
        "vision_full_layers": len(full) if full else 0,
        "merge": vision.spatial_merge_size**2,
        "projectors": 1 + len(deepstack or ()),
        # A merging projector keeps the joined width first.
        "projector_width": width * vision.spatial_merge_size**2,
    }


@dataclass(frozen=True)
class Cost:
    """Cost of one prefill.

    Attributes
    ----------
    tokens_per_layer : tuple of int
        Visual tokens seen by each decoder layer.
    final_tokens : int
        Visual tokens in the last layer.
    layer_average : float
        Visual tokens averaged over layers.
    paper_tflops : float
        Visual tokens only, the TransPrune paper's convention.
    llm_flops, vision_flops : int
        True FLOPs, two per multiply-accumulate, causal attention counted once per visible pair:
        the language model with text tokens and the head for one position; vision encoder and
        projector.
    kv_bytes : int
        KV cache after the prefill, all layers.
    """

    tokens_per_layer: tuple[int, ...]
    final_tokens: int
    layer_average: float
    paper_tflops: float
    llm_flops: int
    vision_flops: int
    kv_bytes: int

    @property
    def total_flops(self) -> int:
        """Vision encoder, projector and language model together."""
        return self.llm_flops + self.vision_flops


def prefill_cost(
    shape: ModelShape, tokens_per_layer: Sequence[int], kv_lengths: Sequence[int]
) -> Cost:
    """Cost of one sample's prefill.

    Parameters
    ----------
    shape : ModelShape
        The model.
    tokens_per_layer, kv_lengths : sequence of int
        As in :class:`pruneviz.trace.Trace`: visual tokens and all tokens per decoder layer.
    """
    counts = tuple(int(n) for n in tokens_per_layer)
    return Cost(
        tokens_per_layer=counts,
        final_tokens=counts[-1] if counts else 0,
        layer_average=sum(counts) / len(counts) if counts else 0.0,
        paper_tflops=paper_tflops(counts, shape.hidden, shape.intermediate),
        llm_flops=true_flops(shape, kv_lengths),
        vision_flops=vision_flops(shape),
        kv_bytes=kv_bytes(shape, kv_lengths),
    )


def true_flops(shape: ModelShape, lengths: Sequence[int]) -> int:
    """FLOPs of the language model's prefill: `lengths` are the tokens in each layer."""
    d, width = shape.hidden, shape.heads * shape.head_dim
    kv_width = shape.kv_heads * shape.head_dim
    per_token = 2 * (2 * d * width + 2 * d * kv_width + 3 * d * shape.intermediate)
    # Query times key and probability times value, for each of n (n + 1) / 2 visible pairs.
    layers = sum(n * per_token + 2 * n * (n + 1) * width for n in lengths)
    return int(layers + 2 * d * shape.vocabulary)


def vision_flops(shape: ModelShape) -> int:
    """FLOPs of encoding one image: encoder and projector."""
    n, d, m = shape.vision_tokens, shape.vision_hidden, shape.vision_intermediate
    layers, full = shape.vision_layers, shape.vision_layers
    seen = 0
    if shape.vision_window:
        full = shape.vision_full_layers
        seen = (layers - full) * min(n, shape.vision_window)
    attention = 2 * n * d * (full * n + seen)
    encoder = layers * (4 * n * d * d + shape.vision_matrices * n * d * m) + attention
    wide = d * shape.merge
    middle = shape.hidden if shape.projector_width is None else shape.projector_width
    weights = middle * (wide + shape.hidden) if middle else wide * shape.hidden
    projector = shape.projectors * (n // shape.merge) * weights
    return int(2 * (encoder + n * d * shape.patch_values + projector))


def kv_bytes(shape: ModelShape, kv_lengths: Sequence[int]) -> int:
    """Bytes of keys and values of one sample, summed over the layers' own lengths."""
    per_token = 2 * shape.kv_heads * shape.head_dim * shape.value_bytes
    return int(sum(kv_lengths) * per_token)
