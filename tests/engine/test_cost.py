"""Published TFLOPs, recomputed (figures of the TransPrune and DivPrune papers)."""

import pytest

from pruneviz import get_method
from pruneviz.cost import ModelShape, kv_bytes, paper_tflops, prefill_cost, true_flops, vision_flops

D, M, LAYERS = 4096, 11008, 32


def staircase(name, n, layers=LAYERS, start=None, **settings):
    method = get_method(name, **settings)
    counts = [start or n] * layers
    for stage in method.stages():
        for layer in range(stage.layer, layers):
            counts[layer] = method.count(stage, n)
    return counts


def tflops(*args, **settings):
    return paper_tflops(staircase(*args, **settings), D, M)


@pytest.mark.parametrize(("n", "printed"), [(576, 3.82), (2880, 20.83), (288, 1.89), (192, 1.25)])
def test_vanilla(n, printed):
    assert round(paper_tflops([n] * LAYERS, D, M), 2) == printed


@pytest.mark.parametrize(
    ("n", "ratio", "printed"),
    [(576, 0.5, 2.01), (576, 0.25, 1.12), (2880, 0.5, 10.55), (2880, 0.25, 5.80)],
)
def test_fastv(n, ratio, printed):
    assert round(tflops("fastv", n, prune_layer=2, keep_ratio=ratio), 2) == printed


@pytest.mark.parametrize(("n", "printed"), [(576, 1.56), (2880, 8.33)])
def test_transprune_high(n, printed):
    assert round(tflops("transprune", n), 2) == printed


@pytest.mark.parametrize(
    ("layers", "printed"),
    [((5, 7, 10), 1.35), ((6, 8, 11), 1.45), ((8, 10, 13), 1.66), ((9, 11, 14), 1.77)],
)
def test_transprune_at_other_layers(layers, printed):
    assert round(tflops("transprune", 576, prune_layers=layers), 2) == printed


@pytest.mark.parametrize(("n", "printed"), [(576, 1.19), (2880, 6.41)])
def test_transprune_low(n, printed):
    assert round(tflops("transprune", n, keep_ratios=(0.625, 0.1875, 0.0625)), 2) == printed


@pytest.mark.parametrize(("n", "printed"), [(576, 1.78), (2880, 9.46), (288, 0.88), (192, 0.59)])
def test_pyramiddrop(n, printed):
    assert round(tflops("pyramiddrop", n), 2) == printed


@pytest.mark.parametrize(("n", "printed"), [(288, 0.66), (192, 0.44)])
def test_transprune_after_another_method(n, printed):
    assert round(tflops("transprune", n, keep_ratios=(0.5, 0.25, 0.125)), 2) == printed


def test_other_conventions():
    assert round(paper_tflops([576] * LAYERS, D, M, "2ndm"), 4) == 2.9861
    assert round(paper_tflops([2880] * LAYERS, D, M, "2x3ndm"), 1) == 41.7
    assert round(paper_tflops([576] * 40, 5120, 13824), 3) == 7.444
    with pytest.raises(ValueError, match="3ndm, 2ndm, 2x3ndm"):
        paper_tflops([1], 1, 1, "4ndm")


@pytest.mark.parametrize("name", ["fastv", "transprune"])
def test_layer_average_on_28_layers(name):
    expected = {"fastv": 0.535714, "transprune": 0.450893}[name]
    average = sum(staircase(name, 1600, layers=28)) / 28 / 1600
    assert average == pytest.approx(expected, abs=1e-6)


def shape():
    return ModelShape(
        layers=32,
        hidden=4096,
        intermediate=11008,
        heads=32,
        kv_heads=32,
        head_dim=128,
        vocabulary=32064,
        value_bytes=2,
        vision_layers=24,
        vision_hidden=1024,
        vision_intermediate=4096,
        vision_tokens=577,
        patch_values=588,
    )


def test_true_cost_of_llava_7b():
    lengths = [636] * 32
    assert true_flops(shape(), lengths) / 1e12 == pytest.approx(8.34, abs=0.03)
    assert vision_flops(shape()) / 1e12 == pytest.approx(0.38 + 0.02, abs=0.03)
    assert kv_bytes(shape(), lengths) / 2**20 == pytest.approx(318, abs=0.5)


def test_prefill_cost_reads_a_staircase():
    cost = prefill_cost(shape(), [576] * 16 + [64] * 16, [636] * 16 + [124] * 16)
    assert (cost.final_tokens, cost.layer_average) == (64, 320.0)
    assert cost.kv_bytes == (636 + 124) * 16 * 2 * 4096 * 2
    assert cost.total_flops == cost.llm_flops + cost.vision_flops


def test_grouped_heads_cost_less():
    grouped = ModelShape(**{**shape().__dict__, "kv_heads": 4})
    assert kv_bytes(grouped, [10] * 32) * 8 == kv_bytes(shape(), [10] * 32)
    assert true_flops(grouped, [10] * 32) < true_flops(shape(), [10] * 32)
