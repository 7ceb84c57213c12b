"""What is asked once, and where answers are kept."""

from __future__ import annotations

from functools import partial

import pytest
from PIL import Image

from pruneviz.engine import picture_key
from pruneviz.errors import InputError
from pruneviz.evaluation import Truth
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.plan import How
from pruneviz.evaluation.scoring import AGREEMENT
from pruneviz.lmms.asked import Asked, FetchedPicture
from pruneviz.lmms.chosen import choose
from pruneviz.lmms.journal import Sheet, journal, left
from pruneviz.lmms.spent import costs_of


def how(longest: int) -> How:
    return How("tiny@1", "float32", "visual", "", longest, "0")


def ask(name, colour, question="What?", longest=16) -> Asked:
    made = partial(Image.new, "RGB", (4, 4), colour)
    picture = FetchedPicture(made, name, picture_key(made()))
    return Asked(Case(name, picture, question, Truth(), "t", AGREEMENT), "t", longest, ())


def test_what_is_asked_alike_is_asked_once() -> None:
    asked = [
        ask("a 0", "red"), ask("b 5", "red"), ask("a 1", "blue"), ask("a 2", "red", "Why?"),
        ask("c 0", "red", longest=32),
    ]  # fmt: skip
    sheet = Sheet(asked, choose("fopru", keep_ratio=0.5), how)
    assert [len(plan) for plan in sheet.plans] == [3, 1]
    assert sheet.keys[0] == sheet.keys[1]
    assert len(set(sheet.keys)) == 4


def test_keys_do_not_depend_on_what_else_is_asked() -> None:
    chosen = choose("fopru", keep_ratio=0.5)
    alone = Sheet([ask("a 1", "blue")], chosen, how)
    among = Sheet([ask("a 0", "red"), ask("a 1", "blue")], chosen, how)
    assert alone.keys == among.keys[1:]


def test_every_method_has_a_folder_of_its_own() -> None:
    chosen = [
        choose(), choose("fopru"), choose("fopru", keep_ratio=0.5), choose("fopru", keep_tokens=9),
        choose("fopru", equal_compute=0.5), choose("random", keep_ratio=0.5, seed=1),
        choose("random", keep_ratio=0.5, seed=2),
    ]  # fmt: skip
    names = [Sheet([ask("a", "red")], one, how).name for one in chosen]
    assert len(set(names)) == len(names)
    assert names[2].startswith("fopru-0.5-")


def test_the_journal_knows_what_other_processes_wrote(tmp_path) -> None:
    sheet = Sheet([ask("a", "red"), ask("b", "blue")], choose(), how)
    (plan,) = sheet.plans
    with journal(tmp_path, sheet.name, 0) as log:
        log.add([{"id": sheet.keys[0], "error": ""}])
    with journal(tmp_path, sheet.name, 1) as log:
        (unit,) = left(plan, log)
        assert [task.case.name for task in unit] == ["b"]
        log.add([{"id": sheet.keys[1], "error": "no"}])
    with journal(tmp_path, sheet.name, 0) as log:
        (unit,) = left(plan, log)
        assert [task.case.name for task in unit] == ["b"]  # what failed is asked again
        with pytest.raises(InputError, match="Another run"), journal(tmp_path, sheet.name, 0):
            pass


def test_costs_are_means_by_task_and_over_all() -> None:
    def row(tokens):
        fields = ("visual", "layer_average", "flops", "paper_tflops", "kv_bytes")
        return {"tokens": tokens} | dict.fromkeys(fields, 1.0)

    found = costs_of({"a": [row(1), row(2)], "b": [row(6)], "c": []})
    assert found["visual_tokens_kept"] == 3
    assert found["a/visual_tokens_kept"] == 1.5
    assert found["b/visual_tokens_kept"] == 6
    assert not any(name.startswith("c/") for name in found)
