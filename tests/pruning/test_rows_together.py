"""Methods that ask the encoder or merge: rows scored together get what each gets alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from pruneviz import Chain, Pinned, get_method, prune
from pruneviz.errors import PruningError
from pruneviz.methods import Method, Needs, Stage
from tests.helpers import IMAGE, Prompt, close, left_padded, prompt, tiny
from tests.matrix import matrix
from tests.pruning.settings import METHODS, sized
from tests.removal import NEW, check_batch, generate

TOGETHER = (
    "scope",
    "mmtok",
    "vispruner",
    "holov",
    "visionzip",
    "prumerge",
    "prumerge+",
    "tome",
    "dart",
    "hiprune",
    "downsample",
    "grid",
    "resprune_cls",
    "chain_zip",
)
"""Methods that take all rows at once, and what they leave of them is what one alone leaves."""
METHODS_HERE = METHODS | {"resprune_cls": get_method("resprune", keep_tokens=12, seed="cls")}
KINDS = ("llava_clip", "llava_siglip", "llava_next", "internvl", "qwen25_vl", "idefics3")
"""With CLS and without, features before the projector at hand and not, crops, one grid of all."""

Asked = list[tuple[int, ...]]
"""Rows of each time that a method is asked."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Method], Asked]:
    """Notes how often a method is asked, and about how many rows."""

    def note(method: Method) -> Asked:
        seen: Asked = []
        select = type(method).select

        def noted(self: Any, context: Any, stage: Stage, keep: int) -> Any:
            seen.append(tuple(context.alive.shape[:-1]))
            return select(self, context, stage, keep)

        monkeypatch.setattr(type(method), "select", noted)
        return seen

    return note


def prefilled(model: Any, method: Method, case: Prompt, **settings: Any) -> Any:
    with prune(model, method, **case.prune_kwargs, **settings) as run:
        model(**case.inputs)
    return run


@matrix(kind=KINDS, name=TOGETHER, positions=("renumber", "keep"))
def test_rows_are_asked_together_and_get_what_they_get_alone(
    kind: str, name: str, positions: str, asked: Callable[[Method], Asked]
) -> None:
    """Padded to one length, with questions of different lengths."""
    model, method = tiny(kind), METHODS_HERE[name]
    cases = [prompt(kind, seed=seed, after=after) for seed, after in ((1, 6), (2, 9), (3, 7))]
    traces = check_batch(model, method, cases, positions=positions)
    if name not in ("grid", "downsample"):
        assert len({trace.stages[0].scores.tobytes() for trace in traces}) == 3
    seen = asked(method)
    prefilled(model, method, left_padded(cases), positions=positions)
    assert set(seen) == {(3,)}


@matrix(kind=("llava_clip", "llava_siglip", "llava_next"), name=TOGETHER)
def test_rows_of_several_images_beside_rows_of_one(
    kind: str, name: str, asked: Callable[[Method], Asked]
) -> None:
    """Two rows of two images, a row of one between them: two groups, neither of them a stretch."""
    model, method = tiny(kind), METHODS_HERE[name]
    cases = [prompt(kind, seed=seed, images=images) for seed, images in ((1, 2), (2, 1), (3, 2))]
    check_batch(model, method, cases)
    seen = asked(method)
    prefilled(model, method, left_padded(cases))
    assert set(seen) == {(2,), (1,)}


@matrix(kind=("llava_clip", "llava_siglip"), name=TOGETHER)
def test_beams_follow_the_row_that_was_scored_for_them(kind: str, name: str) -> None:
    model, method = tiny(kind), METHODS_HERE[name]
    cases = [prompt(kind, seed=1, after=5), prompt(kind, seed=2, after=9)]
    settings = {"max_new_tokens": NEW, "num_beams": 3, "do_sample": False}
    both = left_padded(cases)
    with prune(model, method, **both.prune_kwargs) as run:
        together = model.generate(**both.inputs, **settings)[:, -NEW:]
    assert len({tuple(trace.kept.tolist()) for trace in run.traces[:3]}) == 1
    for row, case in enumerate(cases):
        with prune(model, method, **case.prune_kwargs) as alone:
            wanted = model.generate(**case.inputs, **settings)[0, -NEW:]
        assert together[row].tolist() == wanted.tolist()
        assert run.traces[3 * row].kept.tolist() == alone.trace.kept.tolist()


@pytest.mark.parametrize("name", ["tome", "prumerge", "visionzip"])
def test_every_row_that_follows_gets_the_merged_tokens(name: str) -> None:
    """Three equal rows, then two: the second group of equal ones is not the first's."""
    model, method, kind = tiny("llava_clip"), METHODS[name], "llava_clip"
    cases = [prompt(kind, seed=seed) for seed in (1, 1, 1, 2, 2)]
    out = generate_all(model, method, left_padded(cases))
    for row, case in enumerate(cases):
        assert close(out[row], generate_all(model, method, case)[0])
    assert not close(out[0], out[3])


def generate_all(model: Any, method: Method, case: Prompt) -> torch.Tensor:
    with prune(model, method, **case.prune_kwargs):
        out = generate(model, case)
    return torch.stack(out.logits, dim=1)


@pytest.mark.parametrize("name", ["hiprune", "grid", "downsample", "tome"])
def test_rows_with_other_grids_are_scored_apart(
    name: str, asked: Callable[[Method], Asked]
) -> None:
    """As many visual tokens, in six rows of six and in twelve of three."""
    kind = "qwen25_vl"
    square, other = prompt(kind, seed=1), prompt(kind, seed=2)
    tall = {**other.inputs, "image_grid_thw": torch.tensor([[1, 24, 6]])}
    cases = [square, replace(other, inputs=tall), prompt(kind, seed=3)]
    model, method = tiny(kind), METHODS[name]
    check_batch(model, method, cases)
    seen = asked(method)
    prefilled(model, method, left_padded(cases))
    assert sorted(seen) == [(1,), (2,)]


@pytest.mark.parametrize("name", ["tome", "mmtok"])
def test_rows_of_as_many_tokens_in_other_images_are_scored_apart(
    name: str, asked: Callable[[Method], Asked]
) -> None:
    """One large picture, and two small ones."""
    kind = "qwen25_vl"
    one, other = prompt(kind, seed=1), prompt(kind, seed=2)
    halves = {**other.inputs, "image_grid_thw": torch.tensor([[1, 6, 12], [1, 6, 12]])}
    ids = halves["input_ids"].clone()
    first = int((ids[0] == IMAGE).nonzero()[0])
    model, method = tiny(kind), METHODS[name]
    gap = {key: split(value, first + 18) for key, value in halves.items()}
    apart = Prompt(gap, split(other.visual, first + 18), split(other.embeds, first + 18))
    cases = [one, apart, prompt(kind, seed=3)]
    check_batch(model, method, cases)
    seen = asked(method)
    prefilled(model, method, left_padded(cases))
    assert sorted(seen) == [(1,), (2,)]


def split(values: torch.Tensor, place: int) -> torch.Tensor:
    """What has a value for each token, with its first one once more at a place."""
    if values.ndim < 2 or values.shape[0] != 1 or values.shape[1] <= place:
        return values
    return torch.cat([values[:, :place], values[:, :1], values[:, place:]], dim=1)


@pytest.mark.parametrize("pivots", ["set", "norm"])
def test_darts_pivots_are_words_of_their_own_row(
    pivots: str, asked: Callable[[Method], Asked]
) -> None:
    """Rows of 9, 5 and 4 words have four to offer; those of 2 and 3 are asked by themselves."""
    kind = "llama_gqa"
    cases = [prompt(kind, seed=seed, after=n) for seed, n in enumerate((9, 2, 5, 3, 4))]
    model, method = tiny(kind), get_method("dart", keep_tokens=13, prune_layer=2, pivots=pivots)
    check_batch(model, method, cases)
    seen = asked(method)
    prefilled(model, method, left_padded(cases))
    assert sorted(seen) == [(1,), (1,), (3,)]


@pytest.mark.parametrize(
    "method",
    [
        type(get_method("prumerge"))(),
        get_method("hiprune", keep_tokens=12, anchors="subtracted"),
        Pinned(sized("scope"), keep=[3]),
        Chain([get_method("fopru", keep_ratio=0.5, strategy="row"), get_method("dart")]),
    ],
    ids=["prumerge", "hiprune", "pinned", "chain"],
)
def test_what_leaves_a_number_of_its_own_is_asked_row_by_row(method: Method) -> None:
    kind = "llava_clip"
    assert not method.batched
    check_batch(tiny(kind), method, [prompt(kind, seed=1), prompt(kind, seed=2, after=9)])


def test_images_that_rows_do_not_share_have_to_be_declared() -> None:
    """Where a record is given, a method could ask though it has not said so."""
    kind = "qwen25_vl"
    scope = type(get_method("scope"))

    class Careless(scope):  # type: ignore[misc, valid-type]
        needs = Needs(encoder=True)

        def score(self, context: Any, stage: Stage, keep: int) -> Any:
            context.blocks()
            return super().score(context, stage, keep)

    square, other = prompt(kind, seed=1), prompt(kind, seed=2)
    tall = {**other.inputs, "image_grid_thw": torch.tensor([[1, 24, 6]])}
    case = left_padded([square, replace(other, inputs=tall)])
    with pytest.raises(PruningError, match=r"other grids .*Needs\(grid=True\)"):
        prefilled(tiny(kind), Careless(keep_tokens=9), case)


def test_crops_are_told_of_one_row_alone() -> None:
    kind = "llava_next"
    fopru = type(get_method("fopru"))

    class Hasty(fopru):  # type: ignore[misc, valid-type]
        batched = True

    case = left_padded([prompt(kind, seed=1), prompt(kind, seed=2)])
    with pytest.raises(PruningError, match="row by row"):
        prefilled(tiny(kind), Hasty(keep_tokens=9, crops="each"), case)
