"""The trainer's command line says in one line what is wrong."""

import pytest

from training.__main__ import parser
from training.run import chosen_stages


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["train", "--minutes", "-1"], "above zero, not '-1'"),
        (["train", "--minutes", "0"], "above zero"),
        (["train", "--minutes", "nan"], "above zero"),
        (["train", "--workers", "-1"], "from 0 to 256"),
        (["train", "--begin", "/nowhere"], "/nowhere is no model folder: it has no config.json"),
        (["train", "--tower", "tests"], "it has no config.json"),
        (["train", "--device", "tpu"], "auto, cpu or cuda, not 'tpu'"),
        (["train", "--threads", "0"], "at least 1"),
        (["evaluate", "--questions", "none"], "at least 1, not 'none'"),
        (["pruning", "--keep-ratios", "1.5"], "up to 1, not '1.5'"),
        (["speed", "--model", "tests"], "is no model folder"),
        (["evaluate", "--seed", "-20000"], "from 0 to 999, not '-20000'"),
        (["pruning", "--seed", "1000"], "from 0 to 999"),
        (["depth", "--seed", "-1"], "from 0 to 999"),
        (["evaluate", "--openmoji", "/nowhere"], "/nowhere is not OpenMoji's package"),
        (["familiar", "--check", "--openmoji", "tests"], "it has no data/openmoji.json"),
        (["familiar", "--check", "--pictures", "/nowhere"], "no pictures in /nowhere"),
        (["familiar", "--check", "--pictures", "tests/unit"], "no pictures in tests/unit"),
        (["familiar"], "one of the arguments --check --out is required"),
    ],
)
def test_wrong_values_are_one_line(given, said, capsys) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(given)
    assert said in capsys.readouterr().err


def test_a_given_model_stands_in_for_stages() -> None:
    begin = ["train", "--begin", "assets/embedded"]
    tower = ["train", "--tower", "assets/embedded"]
    assert chosen_stages(parser().parse_args(begin)) == ("joint", "export")
    assert chosen_stages(parser().parse_args(tower)) == ("symbolic", "align", "joint", "export")
    assert chosen_stages(parser().parse_args([*tower, "--stage", "joint"])) == ("joint",)
    for given, stage in ((begin, "align"), (tower, "tower")):
        with pytest.raises(SystemExit, match=f"stands in for the stage {stage}"):
            chosen_stages(parser().parse_args([*given, "--stage", stage]))


def test_nothing_that_ships_is_replaced_unless_asked_for() -> None:
    for command in ("train", "examples"):
        out = parser().parse_args([command]).out
        assert out is None or out.parts[0] == "runs"
    given = ["familiar", "--out", "assets/embedded", "--pictures", "assets/examples"]
    options = parser().parse_args(given)
    with pytest.raises(SystemExit, match="go with --check"):
        options.run(options)


def test_a_stage_without_what_goes_before_says_which(tmp_path) -> None:
    given = ["train", "--stage", "joint", "--work", str(tmp_path), "--workers", "0"]
    options = parser().parse_args(given)
    with pytest.raises(SystemExit, match="no result of the stage tower"):
        options.run(options)


def test_nothing_is_begun_anew_for_a_stage_that_cannot_begin(tmp_path, caplog) -> None:
    given = ["train", "--resume", "--stage", "export", "--work", str(tmp_path)]
    options = parser().parse_args(given)
    with caplog.at_level("INFO"), pytest.raises(SystemExit, match="no result of the stage tower"):
        options.run(options)
    assert "beginning anew" not in caplog.text


def test_drawings_that_are_not_at_hand_are_asked_for() -> None:
    options = parser().parse_args(["evaluate", "--sets", "openmoji"])
    with pytest.raises(SystemExit, match="--openmoji FOLDER"):
        options.run(options)
