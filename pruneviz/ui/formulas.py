"""Every method's formula as its code computes it, with the meaning of each symbol."""

from __future__ import annotations

from dataclasses import dataclass

from pruneviz.methods import FastV, PyramidDrop, ResPrune, SparseVLM, TransPrune

ALIVE = ("i, j", "patches not dropped before")
BUDGET = ("N, r", "number of patches, and the keep ratio set on the page")
HEADS = ("H", "attention heads of the layer")


@dataclass(frozen=True)
class Formula:
    """How a method scores patches and how many it keeps.

    Attributes
    ----------
    lines : tuple of (str, str)
        Formula in the notation of :func:`pruneviz.ui.mathml.mathml`, and its number in the
        paper or another short remark.
    symbols : tuple of (str, str)
        In the order they occur: symbol in the same notation, and its meaning.
    reading : str
        What is ours, and where paper and published code differ.
    """

    lines: tuple[tuple[str, str], ...]
    symbols: tuple[tuple[str, str], ...]
    reading: str


def _slashed(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:g}" for value in values)


FORMULAS: dict[str, Formula] = {
    "transprune": Formula(
        (
            (
                r"w_i = \frac{‖y_i‖}{‖x_i‖} · "
                r"\frac{exp(1 - cos(x_i, y_i))}{∑_k exp(1 - cos(x_k, y_k))}",
                "Eq. 1 and 2",
            ),
            (r"TTV_i = ∑_{l ∈ A, l ≤ p} (w_i^{attn, l} + w_i^{FFN, l})", "Eq. 3 and 4"),
            (r"IGA_i = \frac{1}{|T|} ∑_{t ∈ T} a_{t, i}", "Eq. 5"),
            (r"score_i = α U(TTV)_i + (1 - α) U(IGA)_i", "Eq. 6"),
            (r"U(z)_i = \frac{z_i}{∑_j z_j}", "from the published code"),
            (r"K_p = ⌊N (1 - (1 - r) c_p)⌋", "kept after layer p"),
        ),
        (
            ALIVE,
            (
                "x, y",
                "input (after the norm) and output of attention or FFN, residual left out",
            ),
            ("k", "all tokens of the sequence, text included"),
            ("A", "layers whose TTV is summed: from the first pruning layer to the last"),
            ("p", "the layer after which patches are dropped"),
            ("T", "all text tokens after the image, the template's included"),
            ("a", "attention in layer p + 1, softmax over all tokens, mean over heads"),
            ("α", f"weight of TTV: {TransPrune.alpha:g}; 1 or 0 where one signal alone is chosen"),
            BUDGET,
            ("c_p", "share of all dropping done by then: 1/7, 3/7 and 1 at the three layers"),
        ),
        f"Published: after layers {_slashed(TransPrune.published_layers)} of 32 keep "
        f"{_slashed(TransPrune.published_ratios)} of the patches; for other depths the layers are "
        "scaled in proportion, which is ours. The paper writes 1 − |cos| where its code has "
        "1 − cos, names the softmax's tokens in two ways, and mentions no U; the code decides "
        "here, and the parameters direction, softmax_scope and normalise give the paper's way.",
    ),
    "resprune": Formula(
        (
            (r"c_i = max_j cos(v_i, t_j)", "Eq. 13"),
            (r"E_i = ‖v_i - P_S v_i‖^2", "residual energy"),
            (r"next = argmax_{i ∉ S} ρ_i^α E_i", "added to S until K are picked"),
            (r"ρ_i = \frac{c_i - min(c)}{max(c) - min(c)}", "our choice"),
            (r"K = ⌊r N⌋", "patches kept"),
        ),
        (
            ("v_i", "patch i as it enters the LLM"),
            ("t_j", "embedding of the j-th content word of the question"),
            ("S", "the patches picked so far; empty at first"),
            ("P_S", "projection onto the space that they span"),
            ("ρ", "relevance to the question from 0 to 1; 1 for all where there is no word"),
            ("α", f"strength of the question: {ResPrune.alpha:g} unless set; 0 ignores it"),
            BUDGET,
        ),
        "No code is published and the paper leaves open what alpha is and how cosines become "
        "non-negative: both are our choice, and so are content words by a stop list in place of "
        "nouns. We know the number of this one equation only. When nothing is left to rebuild, "
        "the rest is picked by relevance and length.",
    ),
    "fopru": Formula(
        (
            (r"M = \frac{1}{H} ∑_h M_h", "mean over heads"),
            (r"c_j = \frac{1}{n} ∑_i M_{i, j}", "attention received"),
            (r"e_i = \frac{1}{n} ∑_j M_{i, j}", "attention paid"),
            (r"s = c \text{ if } Var(c) > Var(e), \text{ else } e", "significance"),
            (r"K = ⌊r N⌋", "largest s kept; by rows, ⌊r · rows⌋ whole rows of largest mean s"),
        ),
        (
            (
                "M_h",
                "attention map of head h in one layer of the vision encoder: the last but one on "
                "LLaVA, elsewhere the last (Qwen2.5-VL: of those that attend to the whole image)",
            ),
            HEADS,
            ("i, j", "patches: the one that looks and the one looked at"),
            ("n", "rows and columns of the map: the patches"),
            ("Var", "variance over the patches"),
            BUDGET,
        ),
        "Whether a CLS token belongs to the map is not said: we leave it out, with the softmax "
        "still over all tokens (parameter include_cls). Of several crops or images each is judged "
        "by itself and all compete; crops=each gives every one its share. encoder_layer reads "
        "another layer. No code is published, and we do not know the equations' numbers.",
    ),
    "fastv": Formula(
        (
            (r"score_i = \frac{1}{H} ∑_h a_{h, last, i}", "in layer L"),
            (r"K = round(r N)", "largest scores kept"),
        ),
        (
            HEADS,
            ("a", "attention of the last prompt token to patch i, softmax over all tokens"),
            ("L", f"the layer after which patches are dropped: {FastV.prune_layer}, as published"),
            BUDGET,
        ),
        "As in the published code, which also rounds and leaves the kept patches their "
        "positions. The paper describes the attention received from all tokens; it gives the "
        "rule in words.",
    ),
    "pyramiddrop": Formula(
        (
            (r"score_i = \frac{1}{H} ∑_h a_{h, last, i}", "in layer p + 1"),
            (r"K_p = ⌊N (1 - (1 - r) c_p)⌋", "largest scores kept after layer p"),
        ),
        (
            ("i", ALIVE[1]),
            HEADS,
            ("a", "attention of the last prompt token to patch i, softmax over all tokens"),
            ("p", "the layer after which patches are dropped"),
            BUDGET,
            ("c_p", "share of all dropping done by then: 4/7, 6/7 and 1 at the three layers"),
        ),
        f"Published: after layers {_slashed(PyramidDrop.published_layers)} of 32 keep "
        f"{_slashed(PyramidDrop.published_ratios)} of the patches. Scaling to other keep ratios "
        "and depths is ours. The formula is the published code's; we do not know its number in "
        "the paper.",
    ),
    "sparsevlm": Formula(
        (
            (r"m_t = \frac{1}{N} ∑_i \frac{exp(v_i · e_t)}{∑_s exp(v_i · e_s)}", "match"),
            (r"R = \{t : m_t > mean(m)\}", "the raters"),
            (r"score_i = \frac{1}{|R|} ∑_{t ∈ R} a_{t, i}", "in layer p itself"),
            (r"K_p = round(r_p N)", "largest scores kept after layer p"),
        ),
        (
            ("v_i", "patch i as it enters the LLM"),
            ("e_t", "embedding of text token t, one after the image"),
            ("a", "attention in layer p, softmax over all tokens, mean over heads"),
            ("p", "the layer after which patches are dropped"),
            (
                "r_p",
                "keep ratio of the stage: between the published ones, interpolated by the last",
            ),
            ("N", BUDGET[1].split(",")[0]),
        ),
        f"Published: after layers {_slashed(SparseVLM.published_layers)} of 32 keep 300/200/110 of "
        "576 patches, or three smaller budgets; interpolation between them is ours. Its code also "
        "makes a few new tokens of dropped patches: the parameter recycle does so. The formulas "
        "are the published code's first version; we do not know their numbers in the paper.",
    ),
    "divprune": Formula(
        (
            (r"d(i, j) = 1 - cos(v_i, v_j)", "distance"),
            (r"first = argmax_i min_{j ≠ i} d(i, j)", "the first pick"),
            (r"next = argmax_{i ∉ S} min_{j ∈ S} d(i, j)", "added to S until K are picked"),
            (r"K = round(r N)", "patches kept"),
        ),
        (
            ("v_i", "patch i as it enters the LLM"),
            ("S", "the patches picked so far"),
            BUDGET,
        ),
        "As in the published code, which also rounds. We do not know the equations' numbers.",
    ),
    "cdpruner": Formula(
        (
            (r"L_{i, j} = ρ_i cos(v_i, v_j) ρ_j", "kernel"),
            (r"next = argmax_{i ∉ S} ρ_i^2 ‖u_i - P_S u_i‖^2", "added to S until K are picked"),
            (r"u_i = \frac{v_i}{‖v_i‖}", "direction of a patch"),
            (r"K = ⌊r N⌋", "patches kept"),
        ),
        (
            ("ρ", "relevance to the question from 0 to 1: largest cosine with a content word"),
            ("v_i", "patch i as it enters the LLM"),
            ("S", "the patches picked so far; empty at first"),
            ("P_S", "projection onto the space that they span"),
            BUDGET,
        ),
        "The second line is the greedy maximum of the kernel's determinant, as in the published "
        "code. There, relevance comes from the text tower of the encoder's CLIP model, which these "
        "models do not hold: ours is taken in the LLM's input space. We do not know the "
        "equations' numbers.",
    ),
    "visionzip": Formula(
        (
            (r"score_i = \frac{1}{H} ∑_h a_{h, CLS, i}", "in the encoder's last layer but one"),
            (r"D = \text{CLS and the } K - C - 1 \text{ largest scores}", "dominant, kept"),
            (r"g(i) = argmax_{t ∈ T} cos(k_i, k_t)", "where each of the others goes"),
            (r"z_t = f_t + mean_{g(i) = t, i ≠ t} f_i", "contextual, C of them"),
            (r"K = ⌊r N⌋, C = round(\frac{10}{64} K)", "tokens in all"),
        ),
        (
            ("a", "attention of the encoder's CLS token; without one, averaged over all patches"),
            HEADS,
            ("T", "C of the patches that are not dominant, evenly spread"),
            ("k", "key of a patch in that layer, mean over heads"),
            ("f", "the encoder's feature of a patch, before the projector"),
            BUDGET,
        ),
        "As in the published code, which counts CLS among the dominant tokens and puts contextual "
        "ones last. Splits of other budgets than 64, 128 and 192 follow theirs. For LLaVA-NeXT and "
        "Qwen, tokens are merged after the projector, which is ours. We do not know the equations' "
        "numbers.",
    ),
    "prumerge": Formula(
        (
            (r"a = softmax(\frac{q_{CLS} · k_i}{√d})", "in the encoder's last layer"),
            (r"S = \text{the } K - 1 \text{ largest } a", "kept"),
            (r"z_i = f_i + ∑_{j ∈ N(i)} a_j f_j", "what a kept patch becomes"),
            (r"z_{rest} = ∑_{j ∉ S} a_j f_j", "one token more"),
            (r"K = ⌊r N⌋", "tokens in all"),
        ),
        (
            ("q, k", "query and key with all heads as one; d is their length"),
            ("N(i)", "the 32 patches whose keys are most like that of i"),
            ("f", "the encoder's feature of a patch, before the projector"),
            BUDGET,
        ),
        "As in the published code: weights are not normalised. Without a budget (in Python) as "
        "many are kept as lie above the third quartile plus 1.5 interquartile ranges. In the "
        "picture a patch that went into several is shown with the one most like it.",
    ),
    "prumerge+": Formula(
        (
            (r"S = A ∪ B", "kept"),
            (r"A = \text{the } \frac{K - 1}{4} \text{ largest } a", "what stands out"),
            (r"B = \text{evenly spread over the others}", "the rest of K − 1"),
            (r"z_i = f_i + ∑_{j ∈ N(i)} a_j f_j", "what a kept patch becomes"),
            (r"z_{rest} = ∑_{j ∉ S} a_j f_j", "one token more"),
            (r"K = ⌊r N⌋", "tokens in all"),
        ),
        (
            ("a", "attention of CLS in the encoder's last layer, all heads as one"),
            ("N(i)", "the 32 patches whose keys are most like that of i"),
            ("f", "the encoder's feature of a patch, before the projector"),
            BUDGET,
        ),
        "The published code spreads by a stride that follows from the share of outliers; here the "
        "budget is met exactly.",
    ),
    "vispruner": Formula(
        (
            (r"score_i = \frac{1}{H} ∑_h a_{h, CLS, i}", "in the encoder's last layer but one"),
            (r"I = \text{the } ⌊β K⌋ \text{ largest scores}", "important, kept"),
            (r"d_i = max_{j ∈ B} cos(f_i, f_j), i ∈ A", "of the others, in turns"),
            (r"drop = \text{the } 8 \text{ largest } d", "until K − |I| are left"),
            (r"K = ⌊r N⌋", "patches kept"),
        ),
        (
            HEADS,
            ("A, B", "every second of the others by falling score, and those between"),
            ("f", "the encoder's feature of a patch, before the projector"),
            ("β", "share of important patches: 0.5, as published"),
            BUDGET,
        ),
        "As in the published code. Where features before the projector are not at hand, those "
        "after it are compared.",
    ),
    "tome": Formula(
        (
            (r"p(i) = argmax_{j ∈ B} cos(v_i, v_j), i ∈ A", "partners"),
            (r"v_j ← \frac{n_j v_j + n_i v_i}{n_j + n_i}", "for the most alike pairs"),
            (r"K = ⌊r N⌋", "tokens left in the end"),
        ),
        (
            ("A, B", "every second token, and those between; anew in each round"),
            ("v_i", "token i as it enters the LLM"),
            ("n_i", "how many patches are in it already"),
            BUDGET,
        ),
        "The paper merges a few tokens in every layer of a vision encoder, by its keys; here all "
        "are merged at once before the LLM, as the method is used as a peer.",
    ),
    "random": Formula(
        (
            (r"score_i = π(i)", "the same for the same seed"),
            (r"K = ⌊r N⌋", "largest scores kept"),
        ),
        (("π", "a random permutation of the patches, drawn from the seed"), BUDGET),
        "A control of ours: a method that looks at picture or question should do better.",
    ),
    "uniform": Formula(
        (
            (r"i_k = ⌊\frac{(2 k + 1) N}{2 K}⌋", "kept, for k = 0, 1, …, K − 1"),
            (r"K = ⌊r N⌋", "patches kept"),
        ),
        (("k", "counts the kept patches; patches are counted row by row from 0"), BUDGET),
        "A control of ours: the middle one of each of K equal stretches of patches.",
    ),
    "grid": Formula(
        (
            (r"B = round((\frac{K R}{C})^{1/2})", "bands of rows"),
            (r"K = ⌊r N⌋", "cells; the middle patch of each is kept"),
        ),
        (("R, C", "rows and columns of patches"), BUDGET),
        "A control of ours: each band is cut into equally many cells, or one more.",
    ),
    "downsample": Formula(
        (
            (r"z_c = mean_{i ∈ c} v_i", "one token a cell"),
            (r"K = ⌊r N⌋", "cells, as for Grid"),
        ),
        (("c", "a cell of neighbouring patches"), ("v_i", "patch i as it enters the LLM"), BUDGET),
        "A control of ours: what a picture of fewer pixels would show, for encoders of one size.",
    ),
}
