"""The methods that the pruning tests run through, sized for six decoder layers."""

from __future__ import annotations

from pruneviz import (
    CDPruner,
    Chain,
    DivPrune,
    Downsample,
    FastV,
    FoPru,
    Grid,
    PruMerge,
    PruMergePlus,
    PyramidDrop,
    Random,
    ResPrune,
    SparseVLM,
    ToMe,
    TransPrune,
    Uniform,
    VisionZip,
    VisPruner,
)
from pruneviz.methods import Method
from tests.helpers import TILED_MODELS, VISION_MODELS

LAYERS = (2, 3, 5)
RATIOS = (0.8, 0.5, 0.2)

METHODS: dict[str, Method] = {
    "transprune": TransPrune(prune_layers=LAYERS, keep_ratios=RATIOS),
    "transprune_paper": TransPrune(
        prune_layers=LAYERS,
        keep_ratios=RATIOS,
        accumulate_layers=(1, 2, 3, 4, 5),
        direction="one_minus_abs_cos",
        softmax_scope="image",
        alpha=0.3,
    ),
    "transprune_ttv": TransPrune(prune_layers=(1, 4), keep_ratios=(0.7, 0.3), signal="ttv"),
    "transprune_iga": TransPrune(prune_layers=(1, 4), keep_ratios=(0.7, 0.3), signal="iga"),
    "pyramiddrop": PyramidDrop(prune_layers=(1, 3, 4), keep_ratios=(0.5, 0.25, 0.125)),
    "sparsevlm": SparseVLM(prune_layers=(1, 3, 4), keep_ratios=(0.6, 0.4, 0.2)),
    "fastv": FastV(prune_layer=2, keep_ratio=0.4),
    "resprune": ResPrune(keep_ratio=0.3),
    "divprune": DivPrune(keep_ratio=0.3),
    "cdpruner": CDPruner(keep_tokens=10),
    "random": Random(keep_ratio=0.3),
    "uniform": Uniform(keep_tokens=11),
    "chain": Chain(
        [
            ResPrune(keep_tokens=24),
            TransPrune(prune_layers=(2, 4), keep_ratios=(0.7, 0.4)),
        ]
    ),
    "chain_mixed": Chain(
        [
            FastV(prune_layer=1, keep_ratio=0.8),
            PyramidDrop(prune_layers=(3, 5), keep_ratios=(0.5, 0.25)),
        ]
    ),
}
VISION_METHODS: dict[str, Method] = {
    "fopru_rank": FoPru(keep_ratio=0.3),
    "fopru_row": FoPru(keep_ratio=0.5, strategy="row"),
    "fopru_each": FoPru(keep_ratio=0.3, crops="each"),
    "fopru_cls": FoPru(keep_tokens=12, include_cls=True),
    "vispruner": VisPruner(keep_tokens=13),
    "grid": Grid(keep_tokens=9),
}
TEXT_MERGING: dict[str, Method] = {
    "tome": ToMe(keep_tokens=9),
    "sparsevlm_recycle": SparseVLM(
        prune_layers=(1, 3, 4), keep_ratios=(0.6, 0.4, 0.2), recycle=True
    ),
}
"""Methods that make tokens anew, which no mask can imitate."""
MERGING: dict[str, Method] = TEXT_MERGING | {
    "visionzip": VisionZip(keep_tokens=12),
    "visionzip_few": VisionZip(keep_tokens=2),
    "prumerge": PruMerge(keep_ratio=0.3),
    "prumerge_free": PruMerge(),
    "prumerge+": PruMergePlus(keep_tokens=14),
    "downsample": Downsample(keep_tokens=9),
    "chain_zip": Chain(
        [
            VisionZip(keep_tokens=20),
            TransPrune(prune_layers=(2, 4), keep_ratios=(0.6, 0.3)),
        ]
    ),
}


def methods_of(kind: str) -> dict[str, Method]:
    """All methods that a tiny model can run."""
    return METHODS | (VISION_METHODS if kind in VISION_MODELS else {})


PAIRS = [
    (kind, name)
    for kind in ("llama_gqa", "llava_clip", *TILED_MODELS, "qwen25_vl", "qwen3_vl")
    if kind != "idefics3"  # built like smolvlm
    for name in methods_of(kind)
]
"""Model and method: every method on two models with different ways in."""

FEW = ("transprune", "chain", "fastv")
"""One method renumbering inside the LLM, one before and inside, one keeping positions."""
SOME = [
    *PAIRS,
    *[
        (kind, name)
        for kind in ("llama", "qwen2", "llava_siglip", "qwen2_vl", "idefics3")
        for name in FEW
    ],
]
SOME += [(kind, name) for kind in ("llava_siglip", "qwen2_vl") for name in VISION_METHODS]
