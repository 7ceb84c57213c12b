"""What a run takes over from its work folder, how it is stopped, and what it leaves."""

import os
import signal
import stat

import pytest
import torch
from torch import nn

from training import run
from training.__main__ import parser
from training.folders import renewed
from training.loop import LOG_SECONDS, Optimizers, _Log, run_stage, save_checkpoint
from training.settings import StageSettings
from training.whole import WholeModel, export


@pytest.fixture(scope="module")
def begun(micro, tmp_path_factory):
    """A model's folder."""
    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("begun")
    export(WholeModel(micro), micro, folder)
    return folder


@pytest.fixture
def older(micro, tmp_path):
    """A work folder in which every stage of another run has left a result."""
    model = WholeModel(micro)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    parts = {"tower": nn.Linear(1, 1), "symbolic": model.symbols, "align": model, "joint": model}
    for name, part in parts.items():
        save_checkpoint(tmp_path / f"{name}.pt", part, Optimizers(part, micro.align), 16)
    return tmp_path


def _options(*given: object):
    return parser().parse_args(["train", "--device", "cpu", *map(str, given)])


@pytest.fixture(autouse=True)
def small(monkeypatch, micro):
    monkeypatch.setattr(run, "Settings", lambda: micro)


def _weights(work, name="joint"):
    state = torch.load(work / f"{name}.pt", weights_only=True)
    return state["step"], state["module"]["llava.model.multi_modal_projector.linear_1.weight"]


def test_a_given_model_is_trained_whatever_lies_in_the_work_folder(begun, older) -> None:
    options = _options("--begin", begun, "--stage", "joint", "--work", older, "--workers", 0)
    options.run(options)
    step, weights = _weights(older)
    assert step == 2
    assert weights.abs().max() < 1
    kept = {path.name for path in older.glob("*.before.pt")}
    assert kept == {f"{name}.before.pt" for name in ("tower", "symbolic", "align", "joint")}
    assert _weights(older, "joint.before")[0] == 16
    # The decoder too is the given one's, not that of older symbols.
    table = "llava.model.language_model.embed_tokens.weight"
    assert torch.load(older / "joint.pt", weights_only=True)["module"][table].abs().max() < 1


def test_resumed_it_goes_on_from_what_lies_there(begun, older, caplog) -> None:
    common = ("--work", older, "--workers", 0, "--stage", "joint")
    options = _options("--begin", begun, "--resume", *common)
    with caplog.at_level("INFO"):
        options.run(options)
    assert "going on from tower.pt, symbolic.pt, align.pt, joint.pt" in caplog.text
    assert not list(older.glob("*.before.pt"))
    assert _weights(older)[0] == 16


@pytest.mark.parametrize("stage", ["tower", "symbolic", "align"])
def test_a_stage_done_anew_outdates_those_that_build_on_it(stage, older) -> None:
    run._start(_options("--stage", stage, "--work", older), None, (stage,))
    assert not (older / f"{stage}.pt").exists()
    assert not (older / "joint.pt").exists()
    assert (older / "tower.pt").exists() == (stage != "tower")


def test_a_stage_takes_over_no_later_result(older, micro, monkeypatch) -> None:
    monkeypatch.setattr(WholeModel, "load_stages", lambda model, folder: None)
    model = run._whole("align", micro, older)
    assert model.llava.model.multi_modal_projector.linear_1.weight.abs().max() < 1
    (older / "align.pt").unlink()
    with pytest.raises(SystemExit, match="no result of the stage align"):
        run._whole("joint", micro, older)


def test_checkpoints_of_a_given_model_are_not_mixed_with_a_new_tower(older, begun) -> None:
    for name in ("tower", "symbolic"):
        (older / f"{name}.pt").unlink()
    options = _options("--resume", "--work", older)
    with pytest.raises(SystemExit, match="give --begin again"):
        options.run(options)


def _interrupted(folder, stop_at, **more):
    torch.manual_seed(0)
    module = nn.Linear(3, 1)

    def loss_at(data, step, done):
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return module(data).square().mean(), {}

    def data(first):
        chance = (torch.Generator().manual_seed(step) for step in range(first, 100))
        return (torch.rand(2, 3, generator=one) for one in chance)

    stage = StageSettings(4, 2, 1e-2, warmup=1, muon=False)
    try:
        run_stage("joint", module, loss_at, stage, data, folder=folder, **more)
    finally:
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return module.state_dict()


def test_an_interrupted_stage_is_saved_and_resumed_like_an_unbroken_one(tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "parts", 1, resume=False)
    assert torch.load(tmp_path / "parts" / "joint.pt", weights_only=True)["step"] == 2
    parts = _interrupted(tmp_path / "parts", None, resume=True)
    whole = _interrupted(tmp_path / "whole", None, resume=False)
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


@pytest.mark.parametrize(("saved", "said"), [(True, "with --resume goes on"), (False, "nothing")])
def test_stopping_says_how_to_go_on(saved, said, tmp_path, monkeypatch, caplog) -> None:
    def train_tower(settings, work, device, resume):
        if saved:
            (work / "tower.pt").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train_tower", train_tower)
    options = _options("--work", tmp_path)
    with caplog.at_level("INFO"), pytest.raises(SystemExit) as ended:
        options.run(options)
    assert ended.value.code == 130
    assert said in caplog.text


def test_slow_steps_are_logged_by_time() -> None:
    class Clock:
        seconds = 0.0

    clock = Clock()
    log = _Log("joint", clock)
    assert [step for step in range(1, 41) if log.due(step, 20)] == [20, 40]
    clock.seconds = LOG_SECONDS + 1
    assert log.due(3, 20)
    log.tell(3, 0.1)
    assert not log.due(4, 20)


def _hold(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_model_replaces_another_complete_or_not_at_all(begun, micro, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("README.md", "model.safetensors", "knowledge.json"):
        (folder / name).write_text("older")
    before = _hold(folder)

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "save_statistics", broken)
    with pytest.raises(KeyboardInterrupt):
        run.write(WholeModel(micro), micro, folder)
    assert _hold(folder) == before
    assert list(tmp_path.iterdir()) == [folder]
    monkeypatch.setattr(run, "save_statistics", lambda *_: None)
    run.write(WholeModel(micro), micro, folder)
    after = _hold(folder)
    assert after["README.md"] == b"older"
    assert b"older" not in (after["model.safetensors"], after["knowledge.json"])
    assert list(tmp_path.iterdir()) == [folder]


def test_whoever_may_read_a_new_file_may_read_the_weights(tmp_path) -> None:
    before = os.umask(0o027)
    try:
        with renewed(tmp_path / "model") as new:
            (new / "weights").touch(0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model" / "weights").stat().st_mode) == 0o640
