"""Published TFLOPs and token counts, recomputed from the methods' own plans.

Figures of the TransPrune paper (its tables and layer ablation), of DivPrune's script and of
CDPruner's tables, each to the digit it is printed with. The list of tokens per layer always comes
from the method. TransPrune's low budget and its ratios after another method are not in its paper:
those used here are inferred from its figures.
"""

from statistics import mean

import pytest

from pruneviz import Chain, Spending, get_method, spending
from pruneviz.cost import paper_tflops
from pruneviz.methods import Method

SIZES = {"7b": (4096, 11008), "13b": (5120, 13824)}
DEPTHS = {"7b": 32, "13b": 40}
IMAGE, CROPS, VIDEO = 576, 2880, 2048
"""Visual tokens of LLaVA-1.5, LLaVA-NeXT and Video-LLaVA."""
LOW = {"keep_ratios": (0.625, 0.1875, 0.0625)}
HALVES = {"keep_ratios": (0.5, 0.25, 0.125)}
PART = {  # what runs inside the LLM, after another method
    "fastv": {"prune_layer": 2, "keep_ratio": 0.5},
    "pyramiddrop": {},
    "transprune": HALVES,
}


def tflops(method: Method, num_visual: int, convention: str = "3ndm", model: str = "7b") -> float:
    plan = spending(method, num_visual, DEPTHS[model])
    return paper_tflops(plan.tokens_per_layer, *SIZES[model], convention)


def constant(num_visual: int, keep: int, convention: str = "3ndm", model: str = "7b") -> float:
    """Of a method that prunes before the LLM, so that all layers see the same number."""
    return tflops(get_method("cdpruner", keep_tokens=keep), num_visual, convention, model)


def after_another(first: str, keep: int, name: str) -> Chain:
    return Chain([get_method(first, keep_tokens=keep), get_method(name, **PART[name])])


def printed(value: float, figure: str) -> bool:
    """Whether a value prints as the figure does."""
    return f"{value:.{len(figure.partition('.')[2])}f}" == figure


PUBLISHED = [
    ("random", IMAGE, {"keep_ratio": 1.0}, "3.82", "3.8172"),
    ("random", CROPS, {"keep_ratio": 1.0}, "20.83", "20.8252"),
    ("random", VIDEO, {"keep_ratio": 1.0}, "14.4", "14.362"),
    ("random", 2056, {"keep_ratio": 1.0}, "14.4", "14.42"),
    ("fastv", IMAGE, {"prune_layer": 2, "keep_ratio": 0.5}, "2.01", "2.0075"),
    ("fastv", IMAGE, {"prune_layer": 2, "keep_ratio": 0.25}, "1.12", "1.1179"),
    ("fastv", CROPS, {"prune_layer": 2, "keep_ratio": 0.5}, "10.55", "10.5538"),
    ("fastv", CROPS, {"prune_layer": 2, "keep_ratio": 0.25}, "5.80", "5.8003"),
    ("fastv", VIDEO, {"prune_layer": 2, "keep_ratio": 0.5}, "7.4", "7.372"),
    ("pyramiddrop", IMAGE, {}, "1.78", "1.7774"),
    ("pyramiddrop", CROPS, {}, "9.46", "9.4646"),
    ("pyramiddrop", VIDEO, {}, "6.6", "6.582"),
    ("transprune", IMAGE, {}, "1.56", "1.5572"),
    ("transprune", CROPS, {}, "8.33", "8.3303"),
    ("transprune", IMAGE, {"prune_layers": (5, 7, 10)}, "1.35", "1.348"),
    ("transprune", IMAGE, {"prune_layers": (6, 8, 11)}, "1.45", "1.453"),
    ("transprune", IMAGE, {"prune_layers": (8, 10, 13)}, "1.66", "1.662"),
    ("transprune", IMAGE, {"prune_layers": (9, 11, 14)}, "1.77", "1.767"),
    ("transprune", IMAGE, LOW, "1.19", "1.1946"),
    ("transprune", CROPS, LOW, "6.41", "6.406"),
]
"""Method, visual tokens, settings; as published, and with the digits of our own computation."""


@pytest.mark.parametrize(("name", "num_visual", "settings", "figure", "finer"), PUBLISHED)
def test_published(name, num_visual, settings, figure, finer):
    value = tflops(get_method(name, **settings), num_visual)
    assert printed(value, figure)
    assert printed(value, finer)


@pytest.mark.parametrize("name", ["fastv", "pyramiddrop", "transprune"])
def test_keeping_everything_costs_the_vanilla_model(name):
    method = get_method(name, keep_ratio=1.0, num_layers=32)
    assert printed(tflops(method, IMAGE), "3.8172")


@pytest.mark.parametrize(
    ("num_visual", "settings", "percent"),
    [(IMAGE, {}, "40.8"), (CROPS, {}, "40.0"), (IMAGE, LOW, "31.3"), (CROPS, LOW, "30.8")],
)
def test_share_of_the_vanilla_model(num_visual, settings, percent):
    # The paper prints 31.2 for the third: 1.19 / 3.82, both rounded before they are divided.
    share = tflops(get_method("transprune", **settings), num_visual) / constant(
        num_visual, num_visual
    )
    assert printed(100 * share, percent)


@pytest.mark.parametrize("first", ["cdpruner", "divprune", "resprune"])
@pytest.mark.parametrize(
    ("keep", "name", "figures"),
    [
        (288, None, ("1.89", "1.8868")),
        (192, None, ("1.25", "1.2531")),
        (288, "fastv", ("1.00", "0.9973")),
        (192, "fastv", ("0.66", "0.6634")),
        (288, "pyramiddrop", ("0.88", "0.8815")),
        (192, "pyramiddrop", ("0.59", "0.5860")),
        (288, "transprune", ("0.66", "0.6611")),
        (192, "transprune", ("0.44", "0.4395")),
    ],
)
def test_a_method_before_the_llm_and_one_inside_it(first, keep, name, figures):
    """The tables with VisionZip and with CDPruner: what counts is the number they leave."""
    method = get_method(first, keep_tokens=keep) if name is None else None
    value = tflops(method or after_another(first, keep, name), IMAGE)
    assert all(printed(value, figure) for figure in figures)


@pytest.mark.parametrize(
    ("convention", "num_visual", "keep", "model", "figure"),
    [
        *(
            ("2ndm", IMAGE, keep, "7b", figure)
            for keep, figure in [
                (576, "2.9861"),
                (288, "1.4713"),
                (192, "0.9760"),
                (144, "0.7302"),
                (128, "0.6485"),
                (64, "0.3232"),
                (32, "0.1613"),
            ]
        ),
        *(
            ("3ndm", IMAGE, keep, "7b", figure)
            for keep, figure in [
                (576, "3.8172"),
                (288, "1.8868"),
                (192, "1.2531"),
                (144, "0.9380"),
                (128, "0.8332"),
                (64, "0.4155"),
                (32, "0.2075"),
            ]
        ),
        ("2ndm", CROPS, 2880, "7b", "16.670"),
        ("3ndm", CROPS, 2880, "7b", "20.825"),
        ("3ndm", CROPS, 640, "7b", "4.252"),
        ("3ndm", CROPS, 320, "7b", "2.099"),
        ("3ndm", CROPS, 160, "7b", "1.043"),
        ("2x3ndm", CROPS, 2880, "7b", "41.7"),
        ("2x3ndm", CROPS, 2880, "7b", "41.65"),
        ("2x3ndm", CROPS, 320, "7b", "4.2"),
        ("2x3ndm", CROPS, 320, "7b", "4.198"),
        ("2x3ndm", 663, 663, "7b", "8.82"),  # 576 and, inferred, 87 tokens that are not visual
        ("2ndm", IMAGE, 576, "13b", "5.813"),
        ("3ndm", IMAGE, 576, "13b", "7.444"),
    ],
)
def test_conventions(convention, num_visual, keep, model, figure):
    assert printed(constant(num_visual, keep, convention, model), figure)


def test_published_layers_on_the_larger_model():
    method = get_method("transprune", prune_layers=(7, 9, 12))
    assert printed(tflops(method, IMAGE, model="13b"), "2.615")


def test_unknown_convention():
    with pytest.raises(ValueError, match="3ndm, 2ndm, 2x3ndm"):
        paper_tflops([1], 1, 1, "4ndm")


@pytest.mark.parametrize(
    ("model", "full", "pruned", "ratio"),
    [("7b", 3.2280, 0.5122, 15.6303), ("13b", 6.2813, 1.0020, 15.7132)],
)
def test_averages_of_divprunes_script(model, full, pruned, ratio):
    """Mean FLOPs over its benchmarks, text tokens included, and the mean of their ratios.

    The script knows each benchmark's text length. Two lengths of equal weight stand for them
    here, their mean and spread chosen to give `full` and `ratio` of the 7B model; the other four
    figures must follow from the convention, to one unit of the last printed digit.
    """
    texts = (12.18, 78.18)
    keep = spending(get_method("divprune"), IMAGE, 32).final_tokens
    rows = [
        [
            paper_tflops([n + text] * DEPTHS[model], *SIZES[model], "2ndm")  # type: ignore[list-item]
            for n in (IMAGE, keep)
        ]
        for text in texts
    ]
    assert mean(row[0] for row in rows) == pytest.approx(full, abs=1.5e-4)
    assert mean(row[1] for row in rows) == pytest.approx(pruned, abs=1.5e-4)
    assert mean(100 * row[1] / row[0] for row in rows) == pytest.approx(ratio, abs=1e-3)


def runs(plan: Spending) -> list[tuple[int, int]]:
    """Tokens and the number of layers in a row that see them."""
    found: list[tuple[int, int]] = []
    for tokens in plan.tokens_per_layer:
        layers = found.pop()[1] if found and found[-1][0] == tokens else 0
        found.append((tokens, layers + 1))
    return found


def test_layers_of_the_published_schedules():
    high = spending(get_method("transprune"), IMAGE, 32)
    assert runs(high) == [(576, 7), (504, 2), (360, 3), (72, 20)]
    assert (high.layer_average, sum(high.tokens_per_layer)) == (236.25, 7560)
    assert printed(100 * high.compute_share, "41.02")
    assert runs(spending(get_method("transprune"), CROPS, 32)) == [
        (2880, 7),
        (2520, 2),
        (1800, 3),
        (360, 20),
    ]
    low = spending(get_method("transprune", **LOW), IMAGE, 32)
    assert runs(low) == [(576, 7), (360, 2), (108, 3), (36, 20)]
    assert printed(low.layer_average, "181.1")


@pytest.mark.parametrize(
    ("name", "share", "percent"),
    [("fastv", "0.535714", "53.6"), ("transprune", "0.450893", "45.1")],
)
def test_layer_average_on_the_28_layers_of_qwen(name, share, percent):
    plan = spending(get_method(name, num_layers=28), 1600, 28)
    assert printed(plan.compute_share, share)
    assert printed(100 * plan.compute_share, percent)


@pytest.mark.parametrize(
    ("name", "num_visual", "counts"),
    [
        ("transprune", 729, [637, 455, 91]),
        ("fastv", 577, [288]),  # round(288.5) is 288 in Python, as in the published code
        ("fastv", 579, [290]),
        ("divprune", IMAGE, [56]),
        ("sparsevlm", IMAGE, [300, 200, 110]),
    ],
)
def test_counts_are_rounded_as_published(name, num_visual, counts):
    plan = spending(get_method(name), num_visual, 32)
    left = [tokens for tokens, _ in runs(plan)]
    assert left[-len(counts) :] == counts
