"""What a run costs: the papers' FLOPs, the true ones, and the KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
class EncoderShape:
    """Sizes that decide what a vision encoder and the projector behind it cost.

    Attributes
    ----------
    layers, hidden, intermediate : int
        Of the encoder.
    patch_values : int
        Numbers in a patch.
    ffn_matrices : int
        Matrices of an encoder FFN: 2, or 3 with a gate.
    window, full_layers : int
        Tokens that a token attends to in layers with windows (0: no windows), and how many
        layers attend to the whole image all the same.
    merge : int
        Patches that the projector merges into one visual token.
    projectors : int
        How many of them: one for each encoder layer whose features the language model gets.
    projector_width : int or None
        Width between the projector's two matrices; 0 where it is a single one, None for the
        LLM's width.
    """

    layers: int
    hidden: int
    intermediate: int
    patch_values: int
    ffn_matrices: int = 2
    window: int = 0
    full_layers: int = 0
    merge: int = 1
    projectors: int = 1
    projector_width: int | None = None


@dataclass(frozen=True)
class ModelShape:
    """Sizes that decide what a forward costs.

    Attributes
    ----------
    layers, hidden, intermediate, heads, kv_heads, head_dim, vocabulary : int
        Of the language model.
    value_bytes : int
        Bytes per element of the KV cache.
    encoder : EncoderShape or None
        Of the vision encoder, where there is one.
    encoder_tokens, encoder_crops : int
        Tokens that the encoder computes, and in how many crops, seen one by one.
    """

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    value_bytes: int
    encoder: EncoderShape | None = None
    encoder_tokens: int = 0
    encoder_crops: int = 1


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
    scoring_flops : int
        What choosing the tokens takes, counted as it ran: matrix products, two per
        multiply-accumulate, and single operations.
    """

    tokens_per_layer: tuple[int, ...]
    final_tokens: int
    layer_average: float
    paper_tflops: float
    llm_flops: int
    vision_flops: int
    kv_bytes: int
    scoring_flops: int = 0

    @property
    def total_flops(self) -> int:
        """Vision encoder, projector, language model and choosing together."""
        return self.llm_flops + self.vision_flops + self.scoring_flops


def prefill_cost(
    shape: ModelShape,
    tokens_per_layer: Sequence[int],
    kv_lengths: Sequence[int],
    scoring_flops: int = 0,
) -> Cost:
    """Cost of one sample's prefill.

    Parameters
    ----------
    shape : ModelShape
        The model.
    tokens_per_layer, kv_lengths : sequence of int
        As in :class:`pruneviz.trace.Trace`: visual tokens and all tokens per decoder layer.
    scoring_flops : int
        What choosing tokens took.
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
        scoring_flops=scoring_flops,
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
    if shape.encoder is None:
        return 0
    encoder, n = shape.encoder, shape.encoder_tokens
    d, layers = encoder.hidden, encoder.layers
    window = n // shape.encoder_crops if shape.encoder_crops > 1 else encoder.window
    full = encoder.full_layers if window else layers
    pairs = n * (full * n + (layers - full) * min(n, window))
    weights = layers * (4 * d * d + encoder.ffn_matrices * d * encoder.intermediate)
    per_token = weights + d * encoder.patch_values
    projector = encoder.projectors * (n // encoder.merge) * _projector_weights(shape, encoder)
    return int(2 * (n * per_token + 2 * pairs * d + projector))


def _projector_weights(shape: ModelShape, encoder: EncoderShape) -> int:
    wide = encoder.hidden * encoder.merge
    middle = shape.hidden if encoder.projector_width is None else encoder.projector_width
    return middle * (wide + shape.hidden) if middle else wide * shape.hidden


def kv_bytes(shape: ModelShape, kv_lengths: Sequence[int]) -> int:
    """Bytes of keys and values of one sample, summed over the layers' own lengths."""
    per_token = 2 * shape.kv_heads * shape.head_dim * shape.value_bytes
    return int(sum(kv_lengths) * per_token)
