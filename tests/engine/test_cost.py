"""True FLOPs and the cache of a prefill; the papers' figures have a file of their own."""

from dataclasses import replace

import pytest

from pruneviz.cost import EncoderShape, ModelShape, kv_bytes, prefill_cost, true_flops, vision_flops


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
        encoder=EncoderShape(layers=24, hidden=1024, intermediate=4096, patch_values=588),
        encoder_tokens=577,
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
    grouped = replace(shape(), kv_heads=4)
    assert kv_bytes(grouped, [10] * 32) * 8 == kv_bytes(shape(), [10] * 32)
    assert true_flops(grouped, [10] * 32) < true_flops(shape(), [10] * 32)


def test_every_product_is_counted():
    """One by one: each matrix for each token, each visible pair, the head for one position."""
    d, heads, kv_heads, size, m, vocabulary = 6, 4, 2, 3, 10, 7
    small = ModelShape(2, d, m, heads, kv_heads, size, vocabulary, 2)
    lengths, products = [5, 3], 0
    for length in lengths:
        for query in range(length):
            products += 2 * d * heads * size + 2 * d * kv_heads * size + 3 * d * m
            for _key in range(query + 1):
                products += heads * size  # query times key
                products += heads * size  # probability times value
    products += d * vocabulary
    assert true_flops(small, lengths) == 2 * products
    assert kv_bytes(small, lengths) == sum(lengths) * 2 * kv_heads * size * 2
