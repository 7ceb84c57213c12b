"""TTV of one module."""

from __future__ import annotations

import pytest
import torch

from pruneviz.ops import l1_normalise, token_transition, transition_terms

BEFORE = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]])
AFTER = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, -2.0]]])
DIRECTIONS = ("one_minus_cos", "one_minus_abs_cos")


@pytest.mark.parametrize(
    ("direction", "wanted"),
    [
        ("one_minus_cos", [0.09003, 0.24473, 0.66524]),
        ("one_minus_abs_cos", [0.21194, 0.57612, 0.21194]),
    ],
)
def test_toy_vector_in_both_readings(direction: str, wanted: list[float]) -> None:
    value = token_transition(BEFORE, AFTER, direction)
    assert value.dtype == torch.float32
    assert value[0].tolist() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("direction", "wanted"),
    [
        ("one_minus_cos", [0.0, 0.26894, 0.73106]),
        ("one_minus_abs_cos", [0.0, 0.73106, 0.26894]),
    ],
)
def test_toy_vector_over_image_tokens_only(direction: str, wanted: list[float]) -> None:
    mask = torch.tensor([[False, True, True]])
    value = token_transition(BEFORE, AFTER, direction, mask=mask)
    assert value[0].tolist() == pytest.approx(wanted, abs=1e-5)


def test_default_is_the_published_code() -> None:
    assert torch.equal(
        token_transition(BEFORE, AFTER), token_transition(BEFORE, AFTER, "one_minus_cos")
    )


def random_pair(batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, 17, 8, generator=generator),
        torch.randn(batch, 17, 8, generator=generator),
    )


def test_against_the_formula_in_float64() -> None:
    before, after = (x.double() for x in random_pair(2))
    cosine = torch.nn.functional.cosine_similarity(before, after, dim=-1)
    e = (1 - cosine).exp()
    wanted = after.norm(dim=-1) / before.norm(dim=-1) * e / e.sum()
    got = token_transition(before, after)
    assert torch.allclose(got.double(), wanted, rtol=1e-5)
    per_sample = token_transition(before, after, per_sample=True)
    for row in range(2):
        alone = token_transition(before[row : row + 1], after[row : row + 1])
        assert torch.allclose(per_sample[row], alone[0], rtol=1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_invariant_to_scaling_of_the_input_and_shared_rotation(direction: str) -> None:
    before, after = random_pair()
    wanted = l1_normalise(token_transition(before, after, direction))
    scaled = l1_normalise(token_transition(3.7 * before, after, direction))
    assert torch.allclose(scaled, wanted, rtol=1e-4)
    rotation = torch.linalg.qr(torch.randn(8, 8)).Q
    rotated = l1_normalise(token_transition(before @ rotation, after @ rotation, direction))
    assert torch.allclose(rotated, wanted, rtol=1e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_equivariant_to_permutation(direction: str) -> None:
    before, after = random_pair()
    order = torch.randperm(17)
    wanted = token_transition(before, after, direction)[:, order]
    assert torch.allclose(
        token_transition(before[:, order], after[:, order], direction), wanted, rtol=1e-5
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    before, after = (x.to(dtype) for x in random_pair())
    exact = token_transition(before.float(), after.float())
    assert torch.equal(token_transition(before, after), exact)


def test_long_half_precision_sequences_stay_finite() -> None:
    before = torch.full((1, 20000, 4), 30.0, dtype=torch.float16)
    value = token_transition(before, -before * 60)
    assert torch.isfinite(value).all()
    assert float(value.sum()) == pytest.approx(60.0, rel=1e-3)


def test_zero_vectors_give_zero_and_no_nan() -> None:
    before, after = (x.clone() for x in random_pair())
    before[0, 3], after[0, 5] = 0.0, 0.0
    value = token_transition(before, after)
    assert torch.isfinite(value).all()
    assert value[0, 3] == 0
    assert value[0, 5] == 0
    for part in transition_terms(before, after):
        assert (part[0] == 0).nonzero().squeeze(-1).tolist() == [3, 5]


def test_parallel_and_opposite_tokens() -> None:
    magnitude, change = transition_terms(BEFORE, AFTER)
    assert magnitude[0].tolist() == [1.0, 1.0, 1.0]
    assert change[0].tolist() == pytest.approx([0.0, 1.0, 2.0])


@pytest.mark.parametrize("per_sample", [False, True])
def test_the_whole_is_the_product_of_its_parts(per_sample: bool) -> None:
    before, after = random_pair(2)
    mask = torch.arange(17).expand(2, -1) % 3 > 0

    def value(part: str) -> torch.Tensor:
        return token_transition(before, after, mask=mask, per_sample=per_sample, part=part)

    product = value("magnitude") * value("direction")
    # Of the whole tensor the published code divides last.
    close = torch.equal if per_sample else torch.allclose
    assert close(value("full"), product)
    assert torch.equal(value("magnitude"), transition_terms(before, after)[0])
    sums = value("direction").sum(-1)
    whole = torch.tensor([1.0, 1.0]) if per_sample else sums / sums.sum()
    assert torch.allclose(sums, whole)


def test_nothing_outside_the_mask_also_where_a_row_has_no_token_in_it() -> None:
    before, after = random_pair(2)
    mask = torch.zeros(2, 17, dtype=torch.bool)
    mask[0, 3:9] = True
    value = token_transition(before, after, mask=mask, per_sample=True)
    assert torch.equal(value != 0, mask)


def test_errors() -> None:
    with pytest.raises(ValueError, match="one_minus_cos, one_minus_abs_cos"):
        token_transition(BEFORE, AFTER, "abs")
    with pytest.raises(ValueError, match="one shape"):
        token_transition(BEFORE, AFTER[:, :2])
    with pytest.raises(ValueError, match="full, direction, magnitude"):
        token_transition(BEFORE, AFTER, part="half")


def test_l1_normalise() -> None:
    values = torch.rand(3, 9)
    assert torch.allclose(l1_normalise(values).sum(-1), torch.ones(3), atol=1e-6)
    assert torch.equal(l1_normalise(torch.zeros(4)), torch.zeros(4))


def test_the_published_order_of_steps_is_kept_to_the_last_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    before, after = (torch.randn(2, 60, 64, generator=generator) for _ in "ab")
    magnitude, change = transition_terms(before, after)
    weight = change.exp()
    assert torch.equal(token_transition(before, after), magnitude * weight / weight.sum())
