"""Which questions the example pictures come with, which picture is first, what notes say."""

import json
from collections import Counter

import pytest

from pruneviz.scenes.questions import KINDS, Question
from pruneviz.scenes.scene import SMALL
from training import examples
from training.examples import OPENING, QUESTIONS, SHOWN, Tried, choose
from training.held_out import Asked
from training.layouts import CROWDS, LAYOUTS, build_scene

LOST, KEPT = (False,) * 10, (True,) * 10


def _tried(kind: str, *keeps: str, random=KEPT, answer: str = "a") -> Tried:
    return Tried(Asked(None, Question(kind, f"{kind}?", answer)), frozenset(keeps), random)


def test_examples_show_the_best_the_worst_and_other_kinds() -> None:
    dull = [_tried(kind, *SHOWN) for kind in ("what", "what", "count", "read")]
    best = _tried("where", "fastv", random=LOST)
    worst = _tried("exists", "fopru", "resprune", "fastv")
    chosen = choose([*dull, worst, best], Counter())
    assert chosen[:2] == [best, worst]
    assert len(chosen) == QUESTIONS
    kinds = [one.asked.question.kind for one in chosen]
    assert len(set(kinds)) == QUESTIONS
    shown = Counter()
    note = chosen[0].row(shown)
    assert (note["method"], note["keep_percent"]) == ("fastv", 6.25)
    assert note["note"] == ("At 6.25 % FastV keeps the answer; Random loses it in 10 of 10 draws.")
    assert chosen[1].row(shown)["note"] == (
        "At 6.25 % TransPrune loses the answer; Random keeps it in 10 of 10 draws."
    )
    assert "note" not in chosen[2].row(shown)
    assert shown == {"fastv": 1, "transprune": 1}


@pytest.mark.parametrize(
    ("tried", "note"),
    [
        (_tried("where", *SHOWN, random=LOST), "FoPru and FastV keep the answer; Random loses"),
        (_tried("where", "fopru", random=(False,) * 9 + (True,)), "loses it in 9 of 10 draws."),
        (_tried("where", "fopru", random=(False,) * 8 + (True,) * 2), ""),
        # The page would show random keeping it.
        (_tried("where", "fopru", random=(True,) + (False,) * 9), ""),
        (_tried("where", "fopru", random=LOST, answer="there is no fish."), ""),
        (_tried("where", "fopru", "fastv", random=(True,) * 6 + (False,) * 4), "keeps it in 6 of"),
        (_tried("where", "fopru", random=(True,) * 5 + (False,) * 5), ""),
        (_tried("where", random=(False,) + (True,) * 9), ""),
    ],
)
def test_a_note_says_what_the_runs_gave(tried, note) -> None:
    assert note in tried.note
    assert bool(note) == bool(tried.note)


def test_the_page_opens_with_what_every_method_of_it_keeps_and_random_loses() -> None:
    most = _tried("category", *OPENING, random=LOST)
    often = _tried("place", *OPENING, random=(False,) * 9 + (True,))
    lacking = _tried("read", "resprune", "fastv", random=LOST)
    by_chance = _tried("exists", *SHOWN, random=LOST)
    assert [one.opens for one in (most, often, lacking, by_chance)] == [True, True, False, False]
    turns = Counter(category=9)
    assert choose([lacking, by_chance, often, most], turns)[0] == most
    assert most.row(Counter(transprune=5), opening=True)["method"] == OPENING[0]


def test_few_questions_are_all_shown() -> None:
    assert len(choose([_tried("what"), _tried("where")], Counter())) == 2


def test_kinds_take_turns_over_the_pictures() -> None:
    tried = [_tried(kind, *SHOWN) for kind in KINDS]
    turns = Counter()
    for _ in range(5):
        choose(tried, turns)
    assert turns == dict.fromkeys(KINDS, 2)


def test_methods_that_tell_the_same_take_turns() -> None:
    shown = Counter()
    one = _tried("where", "fopru", "fastv", "transprune", random=LOST)
    rows = [one.row(shown) for _ in range(4)]
    assert [row["method"] for row in rows] == ["fopru", "transprune", "fastv", "fopru"]


class _Model:
    """Enough of a model for what is replaced by then."""


def _made(monkeypatch, folder, opening: dict[str, int]) -> list[dict]:
    """Make examples whose crowds, by name, random keeps in so many draws; others do not open."""

    def tried(layout, kinds):
        if layout.name not in opening:
            return [_tried("what", *SHOWN)]
        kept = opening[layout.name]
        return [_tried("where", *OPENING, random=(False,) * (10 - kept) + (True,) * kept)]

    monkeypatch.setattr(examples, "_candidates", tried)
    monkeypatch.setattr(examples, "try_all", lambda model, processor, asked: asked)
    examples.make_examples(_Model(), None, folder)
    return json.loads((folder / "examples.json").read_text(encoding="utf-8"))


def test_the_crowd_that_random_loses_most_often_comes_first(monkeypatch, tmp_path) -> None:
    first, *_, third = (layout.name for layout in CROWDS)
    rows = _made(monkeypatch, tmp_path, {first: 1, third: 0, LAYOUTS[-1].name: 0})
    names = [row["image"] for row in rows]
    rest = [layout.name for layout in LAYOUTS if layout.name != third]
    assert names == [f"{name}.png" for name in (third, *rest)]
    assert rows[0]["questions"][0]["method"] == "transprune"
    assert all((tmp_path / name).is_file() for name in names)


def test_without_a_crowd_that_opens_there_are_no_examples(monkeypatch, tmp_path) -> None:
    with pytest.raises(ValueError, match="No crowd"):
        _made(monkeypatch, tmp_path, {LAYOUTS[-1].name: 0})


@pytest.mark.parametrize("layout", CROWDS, ids=lambda layout: layout.name)
def test_crowds_follow_the_rules_of_small_things(layout) -> None:
    items = build_scene(layout).items
    low, high, _ = SMALL.sizes[0]
    assert SMALL.crowds[len(items) - 1] > 0
    assert all(low <= item.size <= high for item in items)
    assert all(0 <= edge <= 1 for item in items for edge in item.box)
