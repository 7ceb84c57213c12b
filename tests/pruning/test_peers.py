"""The newer peers on a model: settings, several images, encoder layers, what the host decides."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pruneviz import Chain, FastV, Pinned, ResPrune, get_method, load_model, prune
from pruneviz.engine import Session
from pruneviz.errors import PruningError
from pruneviz.methods import Host, Method, Needs, Stage
from pruneviz.methods.dart import DART
from pruneviz.methods.hiprune import _neighbours
from pruneviz.models import find_adapter
from pruneviz.ops import pick_profile
from pruneviz.pruning.host import host_of
from tests.golden.test_peers import context, received
from tests.helpers import VISION_MODELS, Prompt, prompt, tiny
from tests.models.sessions import QUESTION, noise
from tests.pruning.test_choices import best, tower
from tests.removal import check_batch

KIND = "llava_clip"
N = 36


def run(method: Method, kind: str = KIND, case: Prompt | None = None, **settings: Any) -> Any:
    model, given = tiny(kind), case or prompt(kind)
    with prune(model, method, **given.prune_kwargs, **settings) as seen:
        model(**given.inputs)
    return seen.trace


def one_of_two(number: int) -> Prompt:
    """A prompt with one of the two images of `prompt(KIND, images=2)`, its text the same."""
    both = prompt(KIND, images=2)
    rest = torch.arange(both.visual.shape[1])
    rest = torch.cat([rest[: 3 + N], rest[3 + 2 * N :]])
    inputs = {
        "input_ids": both.inputs["input_ids"][:, rest],
        "attention_mask": both.inputs["attention_mask"][:, rest],
        "pixel_values": both.inputs["pixel_values"][number : number + 1],
    }
    return Prompt(inputs, both.visual[:, rest], both.embeds[:, rest])


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("scope", {}),
        ("holov", {}),
        ("holov", {"order": "raster"}),
        ("mmtok", {}),
        ("hiprune", {"alpha": 1.0}),
        ("hiprune", {"alpha": 1.0, "wrap": True}),
    ],
)
def test_each_of_two_images_is_pruned_as_if_alone(name: str, settings: dict[str, Any]) -> None:
    both = run(get_method(name, keep_tokens=22, **settings), case=prompt(KIND, images=2))
    wanted = [
        run(get_method(name, keep_tokens=11, **settings), case=one_of_two(number)).kept
        for number in range(2)
    ]
    assert both.kept.tolist() == [*wanted[0], *(wanted[1] + N)]
    assert wanted[0].tolist() != wanted[1].tolist()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 3.0])
def test_scope_weighs_coverage_by_a_power_of_attention(alpha: float) -> None:
    """The first pick covers most on its own; what is left is covered less."""
    stage = run(get_method("scope", keep_tokens=9, alpha=alpha)).stages[0]
    _, maps, states, _ = tower()
    unit = torch.nn.functional.normalize(states[1:], dim=-1)
    attention = maps[-2][0, 1:]
    np.testing.assert_allclose(stage.components["encoder"], attention.numpy(), rtol=1e-3)
    covers = stage.components["coverage"]
    np.testing.assert_allclose(stage.scores, covers * attention.numpy() ** alpha, rtol=1e-3)
    first = (unit @ unit.T).clamp_min(0).sum(0) * attention**alpha
    assert stage.scores[int(first.argmax())] == pytest.approx(float(first.max()), rel=1e-4)
    assert stage.scores.argmax() == int(first.argmax())


def test_alpha_of_scope_changes_what_it_keeps() -> None:
    kept = {tuple(run(get_method("scope", keep_tokens=9, alpha=a)).kept) for a in (0.0, 1.0, 4.0)}
    assert len(kept) == 3


def test_holov_gives_no_stretch_more_than_it_holds_and_zeros_only_where_asked() -> None:
    """Nearly all attention on the first of four stretches of nine."""
    states = torch.randn(N, 8, generator=torch.Generator().manual_seed(0))
    attention = torch.full((N,), 0.001) * torch.linspace(1, 2, N)
    attention[:9] = torch.linspace(0.2, 1, 9)
    asked = {"stretches": 4, "keep_tokens": 19}

    def anchors(**settings: Any) -> list[int]:
        method = get_method("holov", **asked, **settings)
        return method.score(context(states, attention), Stage(0), 19).merge.anchors.tolist()

    handed_on = anchors()
    assert handed_on[:9] == list(range(9)), "a full one as it lies in the picture, as published"
    # Ten go round to the other three, to the heaviest once more: the most attended of each, the
    # last ones.
    assert handed_on[9:] == [17, 16, 15, 26, 25, 24, 35, 34, 33, 32]
    zeros = anchors(overflow="zeros")
    assert zeros == [*range(9), *[-1] * 10]
    made = get_method("holov", **asked, overflow="zeros")
    merge = made.score(context(states, attention), Stage(0), 19).merge
    assert not merge.states[9:].any()
    assert (merge.into[9:] == -1).all()


def test_what_rounding_leaves_goes_to_the_heaviest_stretch() -> None:
    """Shares of 9 by 1, 2, 3, 4 tenths: 0, 1, 2, 3; the three left to the last three."""
    attention = torch.tensor([0.1, 0.2, 0.3, 0.4]).repeat_interleave(9)
    asked = context(torch.randn(N, 8, generator=torch.Generator().manual_seed(0)), attention)
    method = get_method("holov", stretches=4, keep_tokens=9)
    places = method.score(asked, Stage(0), 9).merge.anchors // 9
    assert torch.bincount(places, minlength=4).tolist() == [0, 2, 3, 4]


def test_earlier_stretches_are_the_longer_ones() -> None:
    attention = torch.ones(11).index_fill(0, torch.tensor([0, 4, 8]), 2.0)
    asked = context(torch.randn(11, 8, generator=torch.Generator().manual_seed(0)), attention)
    method = get_method("holov", stretches=3, keep_tokens=4)
    # Of 4, 4 and 3 tokens the first, and one more of the last stretch, whose mean is the largest.
    assert method.score(asked, Stage(0), 4).merge.anchors.tolist() == [0, 4, 8, 9]


def test_holov_in_raster_order_keeps_the_same_tokens() -> None:
    published = run(get_method("holov", keep_tokens=12))
    raster = run(get_method("holov", keep_tokens=12, order="raster"))
    assert raster.kept.tolist() == published.kept.tolist()
    assert published.stages[0].into is not None
    assert raster.stages[0].into is None
    without = run(get_method("holov", keep_tokens=12, features="none"))
    assert without.kept.tolist() == published.kept.tolist()


QWEN = Host("qwen", 32, (8, 16, 24, 32))
LLAVA = Host("llava", 24, tuple(range(1, 25)))
WINDOWS = Host("qwen", 32, (7, 13, 19, 31))


def test_the_model_decides_what_was_left_to_it() -> None:
    assert [ResPrune().on(host).alpha for host in (LLAVA, QWEN, Host())] == [0.75, 0.3, 0.5]
    assert ResPrune(alpha=0.0).on(LLAVA).alpha == 0.0
    mmtok: Any = get_method("mmtok")
    hosts = (LLAVA, QWEN, Host())
    assert [mmtok.on(host).text_temperature for host in hosts] == [0.02, 0.01, 0.02]
    assert get_method("mmtok", text_temperature=0.5).on(QWEN).text_temperature == 0.5
    hiprune: Any = get_method("hiprune")
    assert [hiprune.on(h).object_layer for h in (LLAVA, QWEN, Host())] == [9, 16, None]
    assert hiprune.on(WINDOWS).object_layer == 13
    assert hiprune.on(LLAVA).needs.further_layers == (9,)
    assert get_method("hiprune", object_layer=-3).on(QWEN).object_layer == -3


@pytest.mark.parametrize(("kind", "alpha"), [(KIND, 0.75), ("qwen25_vl", 0.3), ("llama", 0.5)])
@pytest.mark.parametrize("wrap", ["", "chain", "pins"])
def test_the_trace_tells_what_the_model_decided(kind: str, alpha: float, wrap: str) -> None:
    method: Method = ResPrune(keep_tokens=12)
    if wrap == "chain":
        method = Chain([method, FastV(keep_tokens=5)])
    elif wrap == "pins":
        method = Pinned(method, keep=[3])
    told = run(method, kind).parameters
    own = told["methods"][0] if wrap == "chain" else told
    own = own["method"] if wrap == "pins" else own
    assert own["alpha"] == alpha


def test_hosts_of_models() -> None:
    model = tiny("qwen25_vl")
    host = host_of(model, find_adapter(model))
    assert (host.kin, host.encoder_layers, host.whole_layers) == ("qwen", 4, (2, 3))
    model = tiny(KIND)
    host = host_of(model, find_adapter(model))
    assert (host.kin, host.encoder_layers, host.whole_layers) == ("llava", 4, (1, 2, 3, 4))


@pytest.mark.parametrize("seed", ["energy", "norm", "cls"])
def test_a_first_pick_of_its_own(seed: str) -> None:
    """The longest token, or the one that CLS attends to most; the others follow from it."""
    case = prompt(KIND)
    rows, text = case.embeds[0, 3 : 3 + N], case.embeds[0, 3 + N :]
    attention = tower()[1][-2][0, 1:]
    first = {"energy": None, "norm": rows.norm(dim=-1).argmax(), "cls": attention.argmax()}[seed]
    unit = torch.nn.functional.normalize
    nearest = (unit(rows, dim=-1) @ unit(text, dim=-1).T).amax(-1)
    weight = ((nearest - nearest.min()) / (nearest.max() - nearest.min())) ** 0.75
    wanted = pick_profile(rows, weight, 9, first)[0]
    trace = run(ResPrune(keep_tokens=9, seed=seed))
    assert trace.kept.tolist() == sorted(wanted.tolist())
    scores = trace.stages[0].scores
    assert scores[int(wanted[0])] == scores.max()


def test_without_cls_the_longest_token_stands_in() -> None:
    norm, cls = (
        run(ResPrune(keep_tokens=9, seed=seed), "llava_siglip") for seed in ("norm", "cls")
    )
    assert norm.kept.tolist() == cls.kept.tolist()
    assert any("No CLS token" in note for note in cls.stages[0].notes)
    assert run(ResPrune(keep_tokens=9, seed="norm"), "llama").num_visual == N
    assert ResPrune(seed="norm").needs == Needs()


def test_hiprune_reads_both_layers_of_the_encoder() -> None:
    """Received from all queries, CLS among them, against the eager tower's maps."""
    maps = tower()[1]
    method = get_method("hiprune", keep_tokens=12, object_layer=1, encoder_layer=3)
    stage = run(method).stages[0]
    for name, layer in (("object", 1), ("deep", 3)):
        wanted = maps[layer - 1].mean(0)[1:].numpy()
        np.testing.assert_allclose(stage.components[name], wanted, rtol=1e-3)


def test_hiprune_keeps_objects_their_neighbours_and_the_best_of_the_rest() -> None:
    stage = run(get_method("hiprune", keep_tokens=15, alpha=0.7)).stages[0]
    objects, deep = (torch.from_numpy(stage.components[name]) for name in ("object", "deep"))
    anchors = best(objects, 2)
    room = set()
    for place in anchors:
        row, column = divmod(place, 6)
        beside = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        room |= {6 * r + c for r, c in beside if 0 <= r < 6 and 0 <= c < 6} - set(anchors)
    chosen = [*anchors, *room]
    rest = [place for place in best(deep, N) if place not in chosen]
    assert stage.kept.tolist() == sorted(chosen + rest[: 15 - len(chosen)])


def test_neighbours_are_kept_as_far_as_there_is_room() -> None:
    """One object at row 2, column 2, with four neighbours, of which three have room."""
    objects = torch.zeros(N)
    objects[torch.tensor([14, 8, 20, 13, 15])] = torch.tensor([1.0, 0.1, 0.2, 0.3, 0.4])
    asked = received(objects, torch.linspace(1, 2, N), (6, 6))
    method = get_method("hiprune", keep_tokens=4, alpha=1.0)
    assert method.score(asked, Stage(0), 4).kept.tolist() == [13, 14, 15, 20]


def test_neighbours_are_of_a_tokens_own_grid() -> None:
    """Two grids in one image: 2 x 3 tokens, then 3 x 2."""
    assert _neighbours(((2, 3), (3, 2)), wrap=False).tolist() == [
        [-1, 1, -1, 3],
        [0, 2, -1, 4],
        [1, -1, -1, 5],
        [-1, 4, 0, -1],
        [3, 5, 1, -1],
        [4, -1, 2, -1],
        [-1, 7, -1, 8],
        [6, -1, -1, 9],
        [-1, 9, 6, 10],
        [8, -1, 7, 11],
        [-1, 11, 8, -1],
        [10, -1, 9, -1],
    ]


@pytest.mark.parametrize("kind", VISION_MODELS)
def test_a_layer_is_the_same_whether_first_or_further(kind: str) -> None:
    """Read as the object layer or as the deep one, in every family."""
    first = run(get_method("hiprune", keep_tokens=12, object_layer=2, encoder_layer=3), kind)
    other = run(get_method("hiprune", keep_tokens=12, object_layer=3, encoder_layer=2), kind)
    (a,), (b,) = first.stages, other.stages
    np.testing.assert_allclose(a.components["object"], b.components["deep"], rtol=1e-5)
    np.testing.assert_allclose(a.components["deep"], b.components["object"], rtol=1e-5)
    assert not np.allclose(a.components["deep"], a.components["object"], rtol=1e-3)


def test_records_of_both_layers_may_be_given_in_any_order() -> None:
    model, case = tiny(KIND), prompt(KIND)
    adapter, records = find_adapter(model), []
    for layer in (1, 3):
        handle = adapter.watch_vision(model, records.append, layer)
        embeds = adapter.embed(model, case.inputs)
        handle.remove()
    method = get_method("hiprune", keep_tokens=12, object_layer=1, encoder_layer=3)
    wanted = run(method)
    for vision in (records, records[::-1]):
        with prune(model, method, vision=vision, visual_mask=case.visual) as seen:
            model(**embeds)
        assert seen.trace.kept.tolist() == wanted.kept.tolist()
        stage = seen.trace.stages[0]
        for name, values in wanted.stages[0].components.items():
            np.testing.assert_allclose(stage.components[name], values, rtol=1e-5)


def test_tiles_are_looked_at_from_all_queries_of_their_own() -> None:
    """Not from CLS alone: the eager tower's maps, put in the order of the image's tokens."""
    model, case = tiny("llava_next", "eager"), prompt("llava_next")
    records: list[Any] = []
    handle = find_adapter(model).watch_vision(model, records.append, 2)
    find_adapter(model).embed(model, case.inputs)
    handle.remove()
    out = model.model.vision_tower(case.inputs["pixel_values"][0], output_attentions=True)
    looked = out.attentions[1].mean((1, 2))[:, 1:]
    (record,) = records
    wanted = record._packed(lambda crops: looked[crops].flatten(), slice(None))
    torch.testing.assert_close(record.received_from_all(), wanted, rtol=1e-3, atol=1e-6)
    assert not torch.allclose(record.received(), wanted, rtol=1e-2)


def test_a_record_that_lacks_a_further_layer_is_refused() -> None:
    model, case = tiny(KIND), prompt(KIND)
    records: list[Any] = []
    handle = find_adapter(model).watch_vision(model, records.append, 3)
    find_adapter(model).embed(model, case.inputs)
    handle.remove()
    method = get_method("hiprune", keep_tokens=12, object_layer=1, encoder_layer=3)
    wanted = pytest.raises(PruningError, match="reads layer 1 of the vision encoder")
    with wanted, prune(model, method, vision=records, visual_mask=case.visual):
        pass


def test_needs_of_two_methods_hold_the_further_layers_of_both() -> None:
    both = Needs(encoder=True, further_layers=(1,)) | Needs(further_layers=(3,), grid=True)
    assert both == Needs(encoder=True, further_layers=(1, 3), grid=True)


@pytest.mark.parametrize(
    ("keep", "given"), [(14, (2, 2, 1, 1, 1, 1, 1, 1)), (21, (3, 2, 2, 2, 2, 2, 2, 2))]
)
def test_the_first_of_darts_pivots_take_one_more(keep: int, given: tuple[int, ...]) -> None:
    """Four patches of the largest keys, then for each pivot in turn what is least like it."""
    draw = torch.Generator().manual_seed(2)
    keys = {"visual": torch.randn(N, 2, 4, generator=draw)}
    keys["after_image"] = torch.randn(6, 2, 4, generator=draw)
    states = {name: torch.randn(len(own), 8, generator=draw) for name, own in keys.items()}
    places = {"visual": torch.arange(3, 3 + N), "after_image": torch.arange(3 + N, 9 + N)}
    asked: Any = SimpleNamespace(
        own_keys=keys.get,
        normed_states=states.get,
        prompt_places=places.get,
        real_text=lambda: None,
    )
    unit = {name: torch.nn.functional.normalize(own, dim=-1) for name, own in states.items()}
    size = {name: own.abs().sum((1, 2)) for name, own in keys.items()}
    image, words = best(size["visual"], 4), best(size["after_image"], 4)
    pivots = [*unit["visual"][image], *unit["after_image"][words]]
    kept = list(image)
    each = [(keep - 4) // 8 + (turn < (keep - 4) % 8) for turn in range(8)]
    assert each == list(given)
    for pivot, count in zip(pivots, each, strict=True):
        unlike = [place for place in best(-(unit["visual"] @ pivot), N) if place not in kept]
        kept += unlike[:count]
    method = get_method("dart", keep_tokens=keep, pivots="norm")
    scores = method.score(asked, Stage(2), keep)
    assert scores.kept.tolist() == sorted(kept)
    assert best(scores.total, keep) == kept, "by when they were taken"


@pytest.mark.parametrize("record", [(), ("ttv", "iga")])
def test_keys_have_to_be_declared(record: tuple[str, ...]) -> None:
    """Also where recording has the same layer looked into."""

    @dataclass(frozen=True, kw_only=True)
    class Undeclared(DART):
        needs = Needs()

    model, case = tiny("llama"), prompt("llama")
    wanted = pytest.raises(PruningError, match=r"keys of the pruning layer .*own_attention=True")
    with wanted, prune(model, Undeclared(), record=record, **case.prune_kwargs):
        model(**case.inputs)


def test_dart_counts_places_from_the_prompts_own_start() -> None:
    """The order of its pivots must not depend on padding before the prompt."""
    method = get_method("dart", keep_tokens=13, prune_layer=2)
    for seed in range(6):
        after = 8 + 3 * seed
        cases = [prompt("llama_gqa", seed=seed), prompt("llama_gqa", seed=9, after=after)]
        check_batch(tiny("llama_gqa"), method, cases)


def test_a_session_records_both_layers() -> None:
    session = Session(load_model(device="cpu"))
    prepared = session.prepare(noise((80, 60)), QUESTION)

    def told(**settings: Any) -> Any:
        method = get_method("hiprune", keep_ratio=0.25, **settings)
        return session.compare(prepared, method).pruned.trace.stages[0].components

    own, other = told(object_layer=1, encoder_layer=2), told(object_layer=2, encoder_layer=1)
    np.testing.assert_array_equal(own["object"], other["deep"])
    np.testing.assert_array_equal(own["deep"], other["object"])
    assert not np.allclose(own["deep"], own["object"], rtol=1e-3)
    depth = host_of(session.loaded.model, session.loaded.adapter).encoder_layers
    chosen = told(object_layer=Host("llava", depth, tuple(range(1, depth + 1))).nearest(9 / 24))
    np.testing.assert_array_equal(told()["object"], chosen["object"])


def test_only_content_words_of_the_question_are_asked() -> None:
    session = Session(load_model(device="cpu"))
    prepared = session.prepare(noise((80, 60)), "What colour is the cat?")
    trace = session.compare(prepared, ResPrune(keep_ratio=0.25)).pruned.trace
    (note,) = (note for note in trace.stages[0].notes if note.startswith("Relevance"))
    words = note.removeprefix("Relevance from the words: ").rstrip(".").lower().split()
    assert "cat" in words
    assert not {"what", "is", "the", "?"} & set(words)
    assert "?" not in note
