"""Measurements beside the weights, and the model card's tables."""

import json

import pytest

from pruneviz.models.core.knowledge import FILE
from training.__main__ import parser
from training.held_out import SETS
from training.record import SET_TITLES, add_measurement, read_record, start_record

CARD = "# A card\n\n<!-- accuracy -->\nold\n<!-- end of accuracy -->\n\ntail\n"
ACCURACY = {
    "seed": 0,
    "scenes": {"what": (98, 100), "count": (70, 100), "all": (168, 200)},
    "novel": {"what": (91, 100), "all": (91, 100)},
}


@pytest.fixture
def folder(tmp_path):
    start_record(tmp_path)
    (tmp_path / "README.md").write_text(CARD, encoding="utf-8")
    return tmp_path


def test_a_measurement_reaches_record_and_card(folder) -> None:
    add_measurement(folder, "accuracy", ACCURACY)
    assert "cat" in read_record(folder)["words"]
    assert json.loads((folder / FILE).read_text(encoding="utf-8"))["accuracy"]["seed"] == 0
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# A card\n\n<!-- accuracy -->\n| kind")
    assert card.endswith("tail\n")
    assert "old" not in card
    assert "| **what is this (`what`)** | 98.0 % [93.0, 99.4] | 91.0 % [83.8, 95.2] |" in card
    # Not claimed, and not asked in other wordings.
    assert "| how many X (`count`) | 70.0 % [60.4, 78.1] | none asked |" in card


def test_further_sets_are_further_columns(folder) -> None:
    found = ACCURACY | {"small": {"what": (9, 10), "all": (9, 10)}, "typos": {"all": (1, 10)}}
    add_measurement(folder, "accuracy", found)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| crowds of small things | wordings never trained | one letter wrong |" in card
    assert "| 90.0 % [59.6, 98.2] | 91.0 % [83.8, 95.2] | none asked |" in card
    # Only new scenes and novel wordings decide what is claimed.
    assert "| **what is this (`what`)** |" in card


def test_a_record_without_both_sets_that_decide_is_refused() -> None:
    options = parser().parse_args(["evaluate", "--record", "--sets", "novel", "small"])
    with pytest.raises(SystemExit, match="scenes and novel"):
        options.run(options)


def test_every_set_has_a_title_and_is_measured_unless_some_are_named() -> None:
    assert parser().parse_args(["evaluate"]).sets == list(SETS) == list(SET_TITLES)


def test_measuring_again_replaces_the_table(folder) -> None:
    add_measurement(folder, "accuracy", ACCURACY)
    first = (folder / "README.md").read_text(encoding="utf-8")
    add_measurement(folder, "accuracy", ACCURACY)
    assert (folder / "README.md").read_text(encoding="utf-8") == first


def test_pruning_table_has_a_row_a_method(folder) -> None:
    marks = "<!-- pruning -->\n<!-- end of pruning -->\n"
    (folder / "README.md").write_text(marks, encoding="utf-8")
    whole = {"method": "unpruned", "keep_ratio": 1.0, "positions": "", "right": 9, "total": 10}
    rows = [
        whole | {"method": method, "keep_ratio": ratio} | ({"p": p} if method != "random" else {})
        for method in ("transprune", "random")
        for ratio, p in ((0.125, 0.2), (0.0625, 0.01))
    ]
    value = {"seed": 1, "kinds": ["what", "exists"], "rows": [whole, *rows]}
    add_measurement(folder, "pruning", value)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "10 questions of the kinds `what`, `exists`, seed 1: unpruned 90.0 %" in card
    assert "| method | positions | 12.5 % | 6.25 % |" in card
    share = "90.0 % [59.6, 98.2]"
    assert f"| transprune | as published | {share}* | {share} |" in card
    assert f"| random | as published | {share} | {share} |" in card


def test_a_card_without_marks_is_an_error(folder) -> None:
    (folder / "README.md").write_text("no marks\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the marks"):
        add_measurement(folder, "accuracy", ACCURACY)
