"""Tables of accuracy under pruning, and where in the decoder the picture is needed."""

import pytest
import torch

from pruneviz.methods import get_method
from pruneviz.shipped import assets_dir
from training.depth import accuracy_by_depth
from training.evaluate import load
from training.held_out import held_out
from training.pruned import CONTENDERS, RandomScores, _p, accuracy_under_pruning
from training.record import depth_table, pruning_table

KINDS = ("where", "exists", "category", "place")


@pytest.fixture(scope="module")
def shipped():
    return load(assets_dir() / "embedded")


def test_scores_by_chance_keep_the_schedule_alone(shipped):
    own = get_method("transprune", num_layers=16, keep_ratio=0.0625)
    chance = RandomScores.of(own)
    assert chance.prune_layers == own.prune_layers
    assert chance.keep_ratios == own.keep_ratios
    assert chance.needs.transitions is None
    assert own.needs.transitions is not None


def test_a_paired_test_counts_what_one_alone_has_right():
    assert _p([True] * 8, [False] * 8) == pytest.approx(2 / 256)
    assert _p([True, False], [False, True]) == 1
    assert _p([True] * 5, [True] * 5) == 1


def test_every_contender_is_asked_and_few_tokens_by_chance_are_worse(shipped):
    asked = held_out(12, "small", seed=5, kinds=KINDS)
    names = ("resprune", "random", "transprune:ttv", "transprune:random")
    assert set(names) <= set(CONTENDERS)
    rows = accuracy_under_pruning(*shipped, asked, names, (0.0625,), "keep")
    assert [row["method"] for row in rows] == ["unpruned", *names]
    found = {row["method"]: row for row in rows}
    assert all(row["total"] == 12 for row in rows)
    assert found["unpruned"]["right"] >= 11
    assert found["resprune"]["right"] > found["random"]["right"] + 2
    assert "p" not in found["random"]
    table = pruning_table({"seed": 5, "kinds": KINDS, "rows": rows})
    assert "| resprune | keep |" in table
    assert table.count("\n| ") == 6


def test_without_the_picture_from_the_first_layer_on_nothing_is_known(shipped):
    asked = held_out(6, "small", seed=6, kinds=KINDS)
    found = accuracy_by_depth(*shipped, asked)
    layers = shipped[0].config.text_config.num_hidden_layers
    total = torch.tensor(list(found.values())).sum(0)
    assert total.shape == (layers + 1, 2)
    assert (total[:, 1] == 6).all()
    assert total[0, 0] <= 4
    assert total[-1, 0] >= 5
    # It is looked up in the middle of the decoder.
    assert total[layers // 4, 0] <= 4
    table = depth_table({"seed": 6, "kinds": found})
    assert table.startswith("| kind, of questions | 0 | 1 |")
