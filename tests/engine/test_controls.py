"""No image, and random patches: what a result is worth beside them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image

from pruneviz.engine import Band, Settings, final_count, random_band, without_image
from pruneviz.engine.controls import Draw
from pruneviz.errors import InputError
from pruneviz.methods import FastV, Random, VisionZip
from pruneviz.metrics import Fidelity

PLAIN = Settings(signals=False)


@pytest.fixture(scope="module")
def farm(session):
    return session.prepare(Image.open("assets/examples/farm.png"), "Which vehicle is there?")


def test_without_an_image_the_picture_does_not_matter(session, farm) -> None:
    other = session.prepare(Image.open("assets/examples/zoo.png"), "Which vehicle is there?")
    found, same = without_image(session, farm), without_image(session, other)
    assert found.token_ids == same.token_ids
    assert found.text
    assert without_image(session, farm) is found, "remembered"
    baseline = session.baseline(farm, PLAIN)
    assert found.same == (found.token_ids == baseline.token_ids)
    assert not found.same
    assert found.answer_logprob < -0.1
    json.dumps(found.to_dict())


def test_a_band_is_what_single_draws_give(session, farm) -> None:
    states = list(random_band(session, farm, 12, seeds=(0, 5, 9)))
    assert [len(state.draws) for state in states] == [1, 2, 3]
    band = states[-1]
    for draw in band.draws:
        alone = session.compare(farm, Random(keep_tokens=12, seed=draw.seed), PLAIN)
        assert draw.text == alone.pruned.text
        assert draw.same == alone.fidelity.exact_match
        assert draw.answer_logprob == pytest.approx(alone.fidelity.answer_logprob, abs=1e-5)
    values = [draw.answer_logprob for draw in band.draws]
    assert len(set(values)) == 3
    assert (band.low, band.high) == (min(values), max(values))
    assert band.mean == pytest.approx(sum(values) / 3)
    told = json.loads(json.dumps(band.to_dict()))
    assert told["share"] == band.same / 3


@pytest.mark.parametrize(("kept", "seeds"), [(0, (1,)), (257, (1,)), (2.0, (1,)), (5, ())])
def test_bad_draws(session, farm, kept, seeds) -> None:
    with pytest.raises(InputError):
        next(random_band(session, farm, kept, seeds))


def test_the_count_is_that_after_the_last_stage(session, farm) -> None:
    late = session.compare(farm, FastV(prune_layer=3, keep_tokens=9), PLAIN)
    assert final_count(late) == 9
    merged = session.compare(farm, VisionZip(keep_tokens=20), PLAIN)
    assert final_count(merged) == merged.pruned.trace.tokens_per_layer[-1]


def fidelity(logprob: float) -> Fidelity:
    return Fidelity(False, 1, 0.0, 0.0, 0.0, 0, logprob, 0.0)


def band(*draws: tuple[bool, float]) -> Band:
    return Band(7, tuple(Draw(n, "", same, value) for n, (same, value) in enumerate(draws)))


def test_better_than_chance_is_above_every_draw() -> None:
    some = band((True, -0.5), (False, -2.0))
    assert [some.place(fidelity(value)) for value in (-0.4, -0.5, -2.0, -2.1)] == [
        "above",
        "inside",
        "inside",
        "below",
    ]
    assert some.better_than_chance(fidelity(-0.4))
    assert not some.better_than_chance(fidelity(-0.5))
    said = some.sentence(fidelity(-0.6), "Mine")
    assert said == (
        "No better than chance here: 1 of 2 random draws of 7 patches give the unpruned answer, "
        "mean log-probability -1.25 nats (-2 to -0.5); Mine -0.6."
    )
    assert some.sentence(fidelity(-0.1), "Mine").startswith("Better than chance here: ")
    assert some.sentence(fidelity(-3.0), "Mine").startswith("Worse than chance here: ")


def test_nothing_is_better_where_every_draw_gives_the_answer() -> None:
    all_same = band((True, -0.5), (True, -2.0))
    assert all_same.place(fidelity(-0.1)) == "above"
    assert not all_same.better_than_chance(fidelity(-0.1))
    assert all_same.sentence(fidelity(-0.1), "Mine").startswith("No better than chance here")
    one = replace(all_same, draws=all_same.draws[:1])
    assert one.share == 1.0
