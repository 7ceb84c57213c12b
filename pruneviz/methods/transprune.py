"""TransPrune: token transition variation plus instruction-guided attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pruneviz.methods.base import (
    ALIVE,
    BUDGET,
    Card,
    Choice,
    Formula,
    Needs,
    NoQueryError,
    Positions,
    ScheduledMethod,
    Scores,
    Stage,
    StageContext,
    TransitionSpec,
    as_tuple,
    check_choice,
    check_flag,
    check_number,
    slashed,
)
from pruneviz.ops import DIRECTIONS, PARTS, l1_normalise

LAYERS, RATIOS, ALPHA = (7, 9, 12), (0.875, 0.625, 0.125), 0.5
"""As published."""
SIGNALS = ("both", "ttv", "iga")
QUERIES = ("after_image", "last", "question")
SCOPES = ("sequence", "image")


@dataclass(frozen=True, kw_only=True)
class TransPrune(ScheduledMethod):
    """Keep the tokens that the LLM keeps changing and the question attends to.

    At each pruning layer p, ``score = alpha * U(TTV) + (1 - alpha) * U(IGA)``. TTV sums, over
    the accumulation layers up to p, how each token changes through attention and FFN
    (magnitude ratio times softmax of the direction change); IGA is the mean attention of the
    text after the image to it in layer p + 1, softmax over all keys; U divides by the sum.

    Parameters
    ----------
    prune_layers, keep_ratios : tuple, optional
        Published: after layers 7, 9, 12 keep 0.875, 0.625, 0.125 (the "High" schedule).
    accumulate_layers : tuple of int, optional
        Layers whose TTV is summed. Default: from the first to the last pruning layer
        (published: 7 to 12).
    accumulate : bool
        False reads the TTV of the pruning layer alone (ablation).
    alpha : float
        Weight of TTV, in [0, 1]. The code adds both with equal weight, which ranks as 0.5.
    signal : {"both", "ttv", "iga"}
        Which terms are used; ``"ttv"`` is alpha = 1, ``"iga"`` alpha = 0.
    direction : {"one_minus_cos", "one_minus_abs_cos"}
        Published code, or paper (Eq. 2).
    softmax_scope : {"sequence", "image"}
        Softmax of TTV over the whole sequence (code) or over the image tokens (the paper's
        symbol; its text says all tokens).
    part : {"full", "direction", "magnitude"}
        Which factor of TTV is used (ablations of the paper).
    normalise : {"l1", "none"}
        U as in the code, or no scaling (the paper mentions none).
    queries : {"after_image", "last", "question"}
        IGA's query rows: all text after the image, template included (code); the last token;
        or the question's content words.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    TransPrune (arXiv 2507.20630), Eq. 1 to 6. Default settings are the published code's; it
    renumbers the positions of the tokens left. Without text after the image there is no IGA:
    TTV decides alone and the trace says so.
    """

    name: ClassVar[str] = "transprune"
    card: ClassVar[Card] = Card(
        title="TransPrune",
        summary=(
            "Drops, in three steps inside the LLM, the patches whose representation changes least "
            "and that the question attends to least."
        ),
        decides="token transition variation and the question's attention",
        standing="equal to its code on 3 reference runs",
        paper="https://arxiv.org/abs/2507.20630",
        formula=Formula(
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
                ("α", f"weight of TTV: {ALPHA:g}; 1 or 0 where one signal alone is chosen"),
                BUDGET,
                ("c_p", "share of all dropping done by then: 1/7, 3/7 and 1 at the three layers"),
            ),
            f"Published: after layers {slashed(LAYERS)} of 32 keep "
            f"{slashed(RATIOS)} of the patches; for other depths the layers are "
            "scaled in proportion, which is ours. The paper writes 1 − |cos| where its code has "
            "1 − cos, names the softmax's tokens in two ways, and mentions no U; the code decides "
            "here, and the parameters direction, softmax_scope and normalise give the paper's way.",
        ),
        terms={
            "ttv": "how much the layers changed the patch, as a share of all patches",
            "iga": "how much the text attends to the patch, as a share of all patches",
        },
        options=(
            Choice(
                "signal",
                "TTV = how much the layers change a patch; IGA = how much the text attends to it.",
                SIGNALS,
            ),
        ),
        compared=True,
        place=1,
    )
    positions: ClassVar[Positions] = "renumber"
    published_layers: ClassVar[tuple[int, ...]] = LAYERS
    published_ratios: ClassVar[tuple[float, ...]] = RATIOS

    accumulate_layers: tuple[int, ...] | None = None
    accumulate: bool = True
    alpha: float = ALPHA
    signal: str = "both"
    direction: str = "one_minus_cos"
    softmax_scope: str = "sequence"
    part: str = "full"
    normalise: str = "l1"
    queries: str = "after_image"

    def __post_init__(self) -> None:
        """Fill in the accumulation layers and check every switch."""
        super().__post_init__()
        check_flag(self.accumulate, "accumulate")
        if self.accumulate_layers is None:
            span = tuple(range(self.layers[0], self.layers[-1] + 1))
        else:
            given = as_tuple(self.accumulate_layers, "accumulate_layers")
            span = self._check_layers(sorted(set(given)), "accumulate_layers")
        object.__setattr__(self, "accumulate_layers", span)
        for field_name, allowed in (
            ("signal", SIGNALS),
            ("direction", DIRECTIONS),
            ("softmax_scope", SCOPES),
            ("part", PARTS),
            ("normalise", ("l1", "none")),
            ("queries", QUERIES),
        ):
            check_choice(getattr(self, field_name), field_name, allowed)
        check_number(self.alpha, "alpha", 1.0)
        self._check_accumulation(span)

    def _check_accumulation(self, span: tuple[int, ...]) -> None:
        if self.weight_ttv == 0.0:
            return
        for layer in self.layers:
            if not self._read_at(layer, span):
                wanted = "up to" if self.accumulate else "equal to"
                raise ValueError(
                    f"No accumulation layer {wanted} pruning layer {layer}: accumulate_layers is "
                    f"{span}, so TTV would be empty there."
                )

    def _read_at(self, layer: int, span: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(at for at in span if (at <= layer if self.accumulate else at == layer))

    @classmethod
    def scaled_layers(cls, num_layers: int) -> tuple[int, ...]:
        """Published layers scaled to a depth.

        From 28 to 32 layers the published 7/9/12 stand: the paper reports them for the 28
        layers of Qwen2.5-VL too.
        """
        if 28 <= num_layers <= 32:
            return cls.published_layers
        return super().scaled_layers(num_layers)

    @property
    def weight_ttv(self) -> float:
        """Weight of the TTV term after `signal` is taken into account."""
        return {"both": self.alpha, "ttv": 1.0, "iga": 0.0}[self.signal]

    @property
    def needs(self) -> Needs:
        """TTV of the accumulation layers, unless IGA alone decides."""
        if self.weight_ttv == 0.0:
            return Needs()
        layers = tuple(at for at in self.accumulate_layers or () if at <= self.layers[-1])
        spec = TransitionSpec(layers, self.direction, self.softmax_scope, self.part)
        return Needs(transitions=spec)

    @property
    def scored_by(self) -> str:
        """How the score is made of its terms."""
        if self.signal != "both":
            return f"Score = {self.signal.upper()}."
        return f"Score = {self.alpha:g} TTV + {1 - self.alpha:g} IGA."

    @property
    def batched(self) -> bool:
        """Rows are scored alike."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """``alpha * U(TTV) + (1 - alpha) * U(IGA)`` of the alive tokens."""
        scale = l1_normalise if self.normalise == "l1" else lambda values: values.float()
        weight, parts = self.weight_ttv, {}
        notes: tuple[str, ...] = ()
        if weight > 0.0:
            span = self._read_at(stage.layer, self.accumulate_layers or ())
            parts["ttv"] = scale(context.transition(span))
        if weight < 1.0:
            try:
                parts["iga"] = scale(context.attention(self.queries))
            except NoQueryError as error:
                if weight == 0.0:
                    raise
                notes, weight = (f"{error} TTV decided alone.",), 1.0
        if len(parts) == 2:
            total = weight * parts["ttv"] + (1.0 - weight) * parts["iga"]
        else:
            (total,) = parts.values()
        return Scores(total, dict(parts), notes=notes)

    def parameters(self) -> dict[str, Any]:
        """Settings as plain values."""
        values = super().parameters()
        if self.keep_tokens is not None:
            values.pop("keep_ratios")
        return values
