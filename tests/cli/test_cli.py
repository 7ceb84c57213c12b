"""The command line as a user meets it: in a process of its own for the main path."""

import csv
import json
import signal
import subprocess
import sys
import threading
from importlib.metadata import version

import numpy as np
import pytest
import transformers
from PIL import Image

import pruneviz
from pruneviz.cli import build_parser, main
from pruneviz.commands import question
from pruneviz.commands.arguments import read_setting
from pruneviz.methods import get_method, list_methods
from pruneviz.models import load_model
from pruneviz.trace import Trace


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "picture.png"
    values = np.random.default_rng(1).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


@pytest.mark.slow
def test_ask_writes_everything(picture, tmp_path):
    out = tmp_path / "results"
    command = [sys.executable, "-m", "pruneviz", "ask", str(picture), "Where is the cat?"]
    command += ["--method", "transprune", "--keep-ratio", "0.125", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "Baseline: " in done.stdout
    assert "TransPrune: " in done.stdout
    answers = json.loads((out / "answers.json").read_text())
    trace = Trace.from_json(out / "trace.json")
    assert answers["method"] == trace.method == "transprune"
    assert answers["pruned"]["cost"]["final_tokens"] == len(trace.kept)
    assert len(trace.kept) == int(trace.num_visual * 0.125)
    assert set(trace.signals) == {"ttv", "iga", "residual"}
    assert Trace.from_json(out / "baseline_trace.json").stages == ()
    names = {path.name for path in out.iterdir()}
    assert {f"mask_stage{n + 1}.png" for n in range(len(trace.stages))} <= names
    assert {f"{run}_{s}.png" for run in ("baseline", "pruned") for s in trace.signals} <= names
    for name in ("figure", "layers"):
        assert (out / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((out / "table.csv").open(encoding="utf-8")))
    left = next(row for row in rows if row["quantity"] == "after the last stage")
    assert left["pruned"] == str(len(trace.kept))
    with Image.open(out / "mask_stage1.png") as mask:
        assert mask.size[0] / mask.size[1] == pytest.approx(200 / 120, rel=0.1)


def test_hints_are_printed(picture, tmp_path, capsys):
    arguments = ["ask", str(picture), "Why is the giraffe here?", "--max-new-tokens", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    # The word, the form of the question, and the picture, which is noise.
    assert said.count("Do not trust this answer: ") == 3
    assert "“giraffe”" in said


@pytest.mark.slow
def test_settings_reach_the_method(picture, tmp_path):
    arguments = ["ask", str(picture), "Where?", "--method", "fopru", "--set", "strategy=row"]
    assert main([*arguments, "--keep-ratio", "0.5", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "answers.json").read_text())["parameters"]["strategy"] == "row"


@pytest.mark.slow
@pytest.mark.parametrize("positions", ["keep", "renumber"])
def test_positions(picture, tmp_path, positions):
    arguments = ["ask", str(picture), "Where?", "--method", "resprune", "--max-new-tokens", "1"]
    assert main([*arguments, "--positions", positions, "--out", str(tmp_path)]) == 0
    assert Trace.from_json(tmp_path / "trace.json").positions == positions


@pytest.mark.slow
@pytest.mark.parametrize(("method", "merges"), [("visionzip", True), ("uniform", False)])
def test_groups_are_drawn_where_patches_are_merged(picture, tmp_path, method, merges):
    arguments = ["ask", str(picture), "Where?", "--method", method, "--max-new-tokens", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "groups.png").exists() == merges


@pytest.mark.slow
def test_pins_reach_the_method(picture, tmp_path):
    arguments = ["ask", str(picture), "Where?", "--method", "fopru", "--keep-ratio", "0.1"]
    pins = ["--pin-keep", "0,250-252", "--pin-drop", "9", "--pin-extra", "2"]
    assert main([*arguments, *pins, "--out", str(tmp_path)]) == 0
    trace = Trace.from_json(tmp_path / "trace.json")
    assert {0, 250, 251, 252} <= set(trace.kept.tolist())
    assert 9 not in trace.kept
    assert len(trace.kept) == int(trace.num_visual * 0.1) + 2


def test_methods(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list_methods()


def test_methods_by_name_say_what_can_be_set(capsys):
    assert main(["methods", "resprune", "fopru"]) == 0
    shown = capsys.readouterr().out
    assert "https://arxiv.org/abs/2603.21105" in shown
    assert "  alpha (0 to 4)" in shown
    assert "  strategy=rank (rank, row)" in shown
    assert "Prunes before the LLM" in shown
    assert main(["methods", "nothing"]) == 1
    assert "Methods: transprune" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transprune", "fopru"])
def test_equal_compute(picture, tmp_path, capsys, name):
    arguments = ["ask", str(picture), "Where?", "--method", name, "--max-new-tokens", "2"]
    assert main([*arguments, "--equal-compute", "0.6", "--out", str(tmp_path)]) == 0
    trace = Trace.from_json(tmp_path / "trace.json")
    assert abs(trace.layer_average - 0.6 * trace.num_visual) <= 0.5
    told = (
        f"Kept: {len(trace.kept)} of {trace.num_visual} visual tokens after the last stage (keep "
        f"ratio {trace.final_keep_ratio:.4g}); layer average {trace.layer_average:.1f} "
        f"({trace.layer_average / trace.num_visual:.1%} of all)"
    )
    assert told in capsys.readouterr().out


def test_plan_tells_every_method(capsys):
    assert main(["plan", "--keep-ratio", "0.125"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list_methods())
    assert lines[0] == (
        "TransPrune: 72 of 576 visual tokens after the last stage (keep ratio 0.125); "
        "layer average 236.2 (41.0% of all)"
    )
    assert main(["plan", "--method", "fastv", "--equal-compute", "0.5", "--layers", "10"]) == 0
    assert "216 of 576" in capsys.readouterr().out


def test_plan_says_which_methods_cannot(capsys):
    assert main(["plan", "--equal-compute", "0.3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list_methods())
    assert "all patches pass through its first 7 of 32 layers" in lines[0]
    assert main(["plan", "--visual-tokens", "0"]) == 1
    assert "num_visual must be" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["plan"], ["ask", "image.png", "Where?"]])
def test_two_budgets_are_wrong_usage(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--keep-ratio", "0.5", "--equal-compute", "0.5"])
    assert stopped.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep-ratio", "0"], "above 0 and up to 1"),
        (["--keep-ratio", "-1"], "above 0 and up to 1"),
        (["--keep-ratio", "2"], "above 0 and up to 1"),
        (["--keep-ratio", "nan"], "above 0 and up to 1"),
        (["--keep-ratio", "0.001"], "smallest keep ratio"),
        (["--keep-tokens", "100000"], "the image has"),
        (["--equal-compute", "0"], "above 0 and up to 1"),
        (["--equal-compute", "0.01"], "at least"),
        (["--equal-compute", "0.5", "--set", "keep_tokens=9"], "two budgets"),
        (["--set", "prune_layers=2,5"], "--set 'prune_layers=[2,5]'"),
        (["--set", "keep_ratios=0.5,0.2"], "--set 'keep_ratios=[0.5,0.2]'"),
        (
            ["--keep-ratio", "0.1", "--set", "keep_ratio=0.5"],
            "Give --keep-ratio or --set keep_ratio",
        ),
        (["--set", "num_layers=10"], "num_layers cannot be set"),
        (["--set", "accumulate=yes"], "accumulate must be True or False"),
        (["--method", "fopru", "--set", "include_cls=1"], "include_cls must be True or False"),
        (["--method", "nothing"], "Methods: transprune"),
        (["--set", "beta=1"], "Its parameters"),
        (["--set", "beta"], "NAME=VALUE"),
        (["--set", "prune_layers=[7, 9, 1000]"], "TransPrune.at"),
        (["--pin-keep", "a"], "written as 3,7-9"),
        (["--pin-keep", "3", "--pin-drop", "1-4"], "as kept and as dropped: 3"),
        (["--pin-drop", "99999"], "do not exist"),
        (["--pin-extra", "-1"], "extra must be"),
        (["--max-new-tokens", "0"], "at least 1"),
        (["--model", "no/such/model"], "No model found"),
        (["--device", "abacus"], "Unknown device"),
    ],
)
def test_wrong_settings(picture, capsys, arguments, message):
    assert main(["ask", str(picture), "Where is the cat?", *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_bytes(b"no image"), "not an image"),
        (lambda p: cut(p), "damaged"),
        (lambda p: None, "no file"),
    ],
)
def test_wrong_images(tmp_path, capsys, make, message):
    path = tmp_path / "image.png"
    make(path)
    assert main(["ask", str(path), "Where is the cat?"]) == 1
    assert message in capsys.readouterr().err


def cut(path):
    Image.effect_noise((300, 300), 50).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("question", "message"), [("", "Type a question"), ("a " * 10_000, "Shorten the question")]
)
def test_wrong_questions(picture, capsys, question, message):
    status = main(["ask", str(picture), question])
    error = capsys.readouterr().err
    assert status == 1
    assert message in error


def test_results_that_cannot_be_written(picture, tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["ask", str(picture), "Where?", "--out", str(blocked / "results")]) == 1
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=0.5", 0.5),
        ("a=row", "row"),
        ("a=[1, 2]", [1, 2]),
        ("a=true", True),
        ("a=True", True),
        ("a=None", None),
        ("a=x=y", "x=y"),
    ],
)
def test_read_setting(text, value):
    assert read_setting(text) == ("a", value)


def test_what_matters_is_written(tmp_path, capsys):
    """Every number of the table as the record has it; the maps as large as the picture."""
    command = ["matters", "assets/examples/farm.png", "Which vehicle is there?"]
    command += ["--method", "random", "--keep-tokens", "7", "--block", "8"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    record = json.loads((tmp_path / "matters.json").read_text(encoding="utf-8"))
    for text in (
        record["judgement"]["sentence"],
        f"Baseline: {record['baseline']['text']}",
        f"Random: {record['pruned']['text']}",
        "Given back, these restore the answer: ",
        "10 random draws of 7 patches",
        f"Without any image: {record['no_image']['text']}",
    ):
        assert text in said.out
    assert "4 of 4 blocks taken away" in said.err
    rows = list(csv.DictReader((tmp_path / "matters.csv").open(encoding="utf-8")))
    blocks = record["taken_away"]["blocks"]
    assert len(rows) == len(blocks) == 4
    back = {block["tokens"][0]: block["effect"] for block in record["given_back"]["blocks"]}
    kept = 0
    for row, block, score in zip(rows, blocks, record["judgement"]["scores"], strict=True):
        assert (int(row["row"]), int(row["column"])) == (block["row"], block["column"])
        assert float(row["fall_when_taken_away_nats"]) == pytest.approx(block["effect"], rel=1e-4)
        assert float(row["method_score"]) == pytest.approx(score, rel=1e-4)
        assert row["tokens"].split() == [str(token) for token in block["tokens"]]
        effects = [back[token] for token in block["tokens"] if token in back]
        assert float(row["rise_when_given_back_nats"]) == pytest.approx(effects[0], rel=1e-4)
        kept += int(row["kept"])
    assert kept == 7
    assert record["fidelity"]["parting_kl"] is not None
    for name in ("taken_away", "given_back", "scores"):
        with Image.open(tmp_path / f"{name}.png") as drawn:
            assert drawn.size[0] == Image.open("assets/examples/farm.png").size[0]


def test_merging_methods_have_nothing_to_give_back(capsys):
    command = ["matters", "assets/examples/farm.png", "Which vehicle is there?"]
    assert main([*command, "--method", "tome", "--max-forwards", "1"]) == 0
    said = capsys.readouterr()
    assert "Nothing is given back: ToMe merges patches" in said.err
    assert "restore" not in said.out


def test_more_blocks_than_forwards_are_refused(capsys):
    command = ["matters", "assets/examples/farm.png", "Which vehicle is there?"]
    assert main([*command, "--block", "1", "--max-forwards", "9"]) == 1
    assert "256 forwards, more than the 9" in capsys.readouterr().err


def test_signals_are_written_as_recorded_and_relative(picture, tmp_path):
    arguments = ["ask", str(picture), "Where is the cat?", "--max-new-tokens", "1"]
    assert main([*arguments, "--keep-ratio", "0.25", "--out", str(tmp_path)]) == 0
    trace = Trace.from_json(tmp_path / "trace.json")
    rows = list(csv.DictReader((tmp_path / "signals.csv").open(encoding="utf-8")))
    own = [row for row in rows if row["run"] == "pruned"]
    assert len(rows) == 2 * len(own) == 2 * len(trace.tokens_per_layer) * trace.num_visual
    last = [row for row in own if row["layer"] == str(len(trace.tokens_per_layer))]
    shown = [row for row in last if row["ttv"]]
    assert [int(row["token"]) for row in shown] == trace.kept.tolist()
    size = trace.num_text + trace.tokens_per_layer[-1]
    for row in shown:
        relative = float(row["ttv_relative_to_uniform"])
        assert relative == pytest.approx(size * float(row["ttv"]), rel=1e-4)


HUGE = "9" * 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "--layers", "100000000"], "num_layers must be at most 10,000"),
        (["plan", "--layers", "10001"], "num_layers must be at most 10,000"),
        (["plan", "--layers", "-1"], "needs at least 2 of them, not -1"),
        (["plan", "--method", "fastv", "--equal-compute", "0.5", "--layers", "99999"], "at most"),
        (["plan", "--method", "tome", "--equal-compute", "0.5", "--layers", "99999"], "at most"),
    ],
)
def test_numbers_that_no_model_has(arguments, message, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--layers", HUGE],
        ["plan", "--visual-tokens", HUGE],
        ["plan", "--keep-tokens", HUGE],
        ["plan", "--keep-tokens", "9" * 5000],
        ["plan", "--layers", "1.5"],
        ["ask", "a.png", "What?", "--max-new-tokens", HUGE],
        ["ask", "a.png", "What?", "--pin-extra", f"-{HUGE}"],
        ["bench", "--pairs", HUGE],
        ["evaluate", "--seeds", HUGE],
        ["serve", "--port", "99999"],
        ["serve", "--port", HUGE],
    ],
)
def test_numbers_beyond_all_are_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "a whole number is needed" in last or "is possible" in last or "1 to 65535" in last


@pytest.mark.parametrize("seed", [HUGE, f"-{HUGE}", "1.5", '"x"', "true", str(2**63)])
def test_seeds_out_of_range(seed, picture, capsys):
    arguments = ["--method", "random", "--set", f"seed={seed}"]
    assert main(["ask", str(picture), "Where?", *arguments]) == 1
    assert "seed must be" in capsys.readouterr().err


def test_the_library_refuses_them_too():
    for wrong in (10**40, -(10**40), 2**63, True, 1.5):
        with pytest.raises(ValueError, match="seed must be"):
            get_method("random", seed=wrong)
        with pytest.raises(ValueError, match=r"num_layers must be|at least 2"):
            get_method("fastv", num_layers=wrong)
    assert get_method("random", seed=-5, num_layers=10_000).seed == -5


def test_a_question_that_looks_like_an_option(picture, capsys):
    parser = build_parser()
    for asked in ("--what?", "-x", "--is it a cat?", "--help"):
        args = parser.parse_args(["ask", "--method", "fastv", "--", str(picture), asked])
        assert (args.image, args.question, args.method) == (str(picture), asked, "fastv")
    with pytest.raises(SystemExit) as stopped:
        main(["ask", str(picture), "--what?"])
    assert stopped.value.code == 2
    assert "goes last, after ' -- '" in capsys.readouterr().err


def test_ctrl_c_ends_a_run_in_one_line(picture, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(question, "load_model", interrupted)
    assert main(["ask", str(picture), "Where?"]) == 130
    assert capsys.readouterr().err.strip() == "pruneviz: stopped."


def test_ctrl_c_while_the_model_runs_leaves_it_clean(picture, capsys, monkeypatch):
    """The worker is waited for, its hooks are gone, and no thread is left."""
    loaded = load_model()
    monkeypatch.setattr(question, "load_model", lambda *_: loaded)
    stack, threads = loaded.adapter.decoder(loaded.model).module, threading.active_count()
    begun = threading.Event()
    handle = stack.register_forward_hook(lambda *_: begun.set())

    def interrupt():
        begun.wait(60)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    killer = threading.Thread(target=interrupt)
    killer.start()
    assert main(["ask", str(picture), "What can you see?", "--max-new-tokens", "400"]) == 130
    killer.join()
    handle.remove()
    assert capsys.readouterr().err.strip().endswith("pruneviz: stopped.")
    assert threading.active_count() == threads
    assert not any(module._forward_pre_hooks for module in loaded.model.modules())


def test_versions_are_told(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"pruneviz {pruneviz.__version__} (torch {version('torch')}, ")
    assert f"transformers {transformers.__version__}, Python 3." in told
