from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pruneviz.engine import RATIOS
from pruneviz.shipped import assets_dir
from pruneviz.ui.compare.comparing import Wanted, compare, verdict
from pruneviz.ui.sweep.sweeping import DEFAULT_RATIOS, SweepWanted, read_ratios, run_sweep
from tests.ui.conftest import QUESTION

ERROR = 'data-kind="error"'


def wanted(picture, *methods, **changes) -> Wanted:
    return Wanted(
        **{
            "image": str(picture),
            "text": QUESTION,
            "methods": list(methods) or ["random"],
            "percent": 25,
            "kind": "final",
            **changes,
        }
    )


def test_cards_fill_one_by_one(session, picture) -> None:
    screens = list(compare(session, wanted(picture, "random", "transprune")))
    views = [screen.view for screen in screens if screen.view]
    assert [sum(p["ready"] for p in view["panels"]) for view in views] == [0, 1, 2, 2]
    end = screens[-1]
    assert 'data-kind="done"' in end.status
    assert "of 2 methods give the baseline" in end.status
    json.dumps(end.view, allow_nan=False)
    first, second = end.view["panels"]
    assert (first["kept"], second["kept"]) == (64, 64)
    assert [p["previews"]["nested"] for p in (first, second)] == [True, False]
    assert sorted(end.view["overlapTitles"]) == ["Random", "TransPrune"]
    assert cell(end, first, "Left at the end") == {"text": "64 (25 %)", "value": 64}
    assert first["same"] == (first["diff"] is None)
    assert first["look"] != second["look"]


def cell(screen, panel, title: str) -> dict:
    titles = [measure["title"] for measure in screen.view["measures"]]
    return panel["told"][titles.index(title)]


def test_the_table_tells_true_and_the_papers_flops(session, picture) -> None:
    *_, end = compare(session, wanted(picture, "resprune", "random"))
    resprune, random = end.view["panels"]
    assert cell(end, resprune, "FLOPs, papers") == cell(end, random, "FLOPs, papers")
    whole = [cell(end, panel, "FLOPs, all of it")["value"] for panel in (resprune, random)]
    assert whole[0] > whole[1] > cell(end, random, "FLOPs, papers")["value"]
    assert cell(end, resprune, "Agreement") == cell(end, random, "Agreement")


def test_divergence_is_told_where_it_happens(session, picture) -> None:
    *_, end = compare(session, wanted(picture, "random", "fopru", percent=3))
    for name, panel in zip(("random", "fopru"), end.view["panels"], strict=True):
        done = next(o for o in end.run.result.outcomes if o.name == name).comparison
        assert cell(end, panel, "KL, largest")["value"] == done.fidelity.largest_kl
        assert cell(end, panel, "KL, where they part")["value"] == done.fidelity.parting_kl
        assert (cell(end, panel, "KL, where they part")["text"] == "") == panel["same"]


def test_merged_tokens_are_no_choice_of_patches(session, picture) -> None:
    *_, end = compare(session, wanted(picture, "visionzip", "random", "tome"))
    visionzip, random, tome = end.view["panels"]
    assert [panel["kept"] for panel in end.view["panels"]] == [64, 64, 64]
    assert cell(end, visionzip, "Left at the end")["text"] == "64 (25 %)"
    assert visionzip["left"].startswith("64 tokens stand for")
    assert visionzip["left"].endswith("1 of them for no patch but the whole picture")
    assert tome["left"] == "64 tokens stand for 256 of 256 patches"
    assert random["left"] == "64 of 256 patches"
    assert (random["holders"], bool(tome["holders"])) == (None, True)
    assert end.view["overlapTitles"] == ["Random"]
    assert end.view["mergedTitles"] == ["VisionZip", "ToMe"]
    assert cell(end, tome, "Agreement") == {"text": "merged", "value": None}
    assert cell(end, random, "Agreement") == {"text": "", "value": None}


def test_the_verdict_names_the_fewer() -> None:
    def said(*same: bool) -> str:
        runs = [
            SimpleNamespace(
                title=f"M{n}", comparison=SimpleNamespace(fidelity=SimpleNamespace(exact_match=it))
            )
            for n, it in enumerate(same)
        ]
        return verdict(SimpleNamespace(outcomes=runs))

    assert said(True, False).endswith("1 of 2 methods give the baseline's answer: M0.")
    assert said(True, True, False).endswith("answer; not M2.")
    assert said(False, False).endswith("0 of 2 methods give the baseline's answer.")
    assert said(True, True).endswith("answer: M0, M1.")


def test_a_budget_out_of_reach_is_a_card(session, picture) -> None:
    budget = {"percent": 5, "kind": "compute"}
    *_, end = compare(session, wanted(picture, "fastv", "uniform", **budget))
    fastv, uniform = end.view["panels"]
    assert "cannot come down" in fastv["problem"]
    assert not fastv["ready"]
    assert uniform["ready"]
    assert "1 cannot meet this budget" in end.status
    *_, end = compare(session, wanted(picture, "fastv", **budget))
    assert "No method can meet this budget" in end.status


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": None}, "Choose a picture first"),
        ({"text": "  "}, "Type a question"),
        ({"methods": []}, "at least one method"),
        ({"methods": None}, "at least one method"),
        ({"methods": ["<b>"]}, "Unknown method &#x27;&lt;b&gt;"),
        ({"percent": None}, "Set the budget"),
        ({"percent": 0}, "above 0 and up to 1"),
        ({"percent": float("nan")}, "above 0 and up to 1"),
        ({"kind": "flops"}, "kind of budget"),
    ],
)
def test_bad_comparisons_become_a_message(session, picture, changes, words) -> None:
    *_, end = compare(session, wanted(picture, **changes))
    assert ERROR in end.status
    assert words in end.status


def test_a_sweep_shows_progress_and_ends_with_tables(session, picture) -> None:
    screens = list(run_sweep(session, SweepWanted(str(picture), QUESTION, ["random"], "100, 50")))
    assert any("Run 1 of 2: Random at 100 %" in (screen.status or "") for screen in screens)
    end = screens[-1]
    assert 'data-kind="done"' in end.status
    json.dumps(end.plot, allow_nan=False)
    (curve,) = end.plot["curves"]
    assert [p["kept"] for p in curve["points"] if not p["searched"]] == [256, 128]
    assert curve["look"]["dash"]
    assert [band["kept"] for band in end.plot["chance"]] == [256, 128]
    assert all("layer average" in p["lines"][1] for p in curve["points"])
    assert f"<b>{curve['breakAt']}</b>&nbsp;of&nbsp;256" in end.tables
    assert end.tables.count("pv-holds") + end.tables.count("pv-fails") == len(curve["points"])


def test_both_tabs_say_why_not_to_trust_an_answer(session, picture) -> None:
    wanted = str(picture), "Is the giraffe happy?", ["random"]
    for run in (compare(session, Wanted(*wanted, 50)), run_sweep(session, SweepWanted(*wanted))):
        *_, end = run
        assert 'data-kind="done"' in end.status
        assert "Do not trust this answer." in end.status
        assert "“giraffe”" in end.status
    known = str(assets_dir() / "examples" / "cat.png")
    *_, end = compare(session, Wanted(known, "Which animal is there?", ["random"], 50))
    assert "Do not trust" not in end.status


def test_ratios_as_typed() -> None:
    assert read_ratios(DEFAULT_RATIOS) == pytest.approx(list(RATIOS))
    assert read_ratios(" 100% 12.5;3 ") == [1.0, 0.125, 0.03]


@pytest.mark.parametrize("text", ["", None, "half", "50, x", "0", "-3", "101", "nan", "inf"])
def test_ratios_that_make_no_sense(session, picture, text) -> None:
    *_, end = run_sweep(session, SweepWanted(str(picture), QUESTION, ["random"], text))
    assert ERROR in end.status


def test_a_sweep_without_methods(session, picture) -> None:
    *_, end = run_sweep(session, SweepWanted(str(picture), QUESTION, []))
    assert "at least one method" in end.status
