"""Workers on a Ray cluster that is started here: killed, poisoned, interrupted, resumed."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pruneviz import load_model
from pruneviz.cli import main
from pruneviz.engine import Budget, Session, Settings
from pruneviz.errors import PruneVizError
from pruneviz.evaluation import cluster
from pruneviz.evaluation import crew as module
from pruneviz.evaluation.asking import Asker
from pruneviz.evaluation.builtin import scene_cases
from pruneviz.evaluation.cluster import ClusterError
from pruneviz.evaluation.crew import crew_on
from pruneviz.evaluation.identity import how_of
from pruneviz.evaluation.log import ROWS, Log, read_rows
from pruneviz.evaluation.pictures import Picture
from pruneviz.evaluation.plan import Plan, arms_of
from pruneviz.evaluation.runner import evaluate
from pruneviz.evaluation.worker import Job
from tests.evaluation.made import NoPicture

ray = pytest.importorskip("ray", reason="Ray has no wheel for this Python or system")

SETTINGS = Settings(signals=False)
ASKED = ["--method", "fopru", "--keep-ratio", "0.25", "--no-controls"]


@dataclass(frozen=True)
class Poison(Picture):
    """Ends the process that looks at it."""

    label: str

    def read(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def digest(self) -> str:
        return self.label


@pytest.fixture(scope="module")
def two_cores(tmp_path_factory):
    """Ray with room for two workers; a token of its own keeps others out, and no file is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", os.urandom(32).hex())
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        # Ray sets it where it is not set; so it is put back in the end.
        patch.setenv("RAY_AUTH_MODE", "")
        patch.delenv("RAY_AUTH_MODE")
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=40,
            object_store_memory=2**27,
        )
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load_model("embedded", device="cpu"))


def known(rows) -> dict[str, tuple]:
    names = ("method", "budget", "answer", "correct", "tokens", "layer_average", "error")
    return {key: tuple(row[name] for name in names) for key, row in rows.items()}


def test_workers_are_killed_and_nothing_is_lost_or_doubled(
    two_cores, session, tmp_path, caplog, capfd
) -> None:
    """Begun without Ray; a worker killed from outside; a question that ends every worker."""
    arms = arms_of(["fastv", "fopru"], [Budget(0.5), Budget(0.1)], controls=False)
    cases = scene_cases("scenes", 40)
    cases[30] = replace(cases[30], picture=NoPicture("bad"))
    plan = Plan(cases, arms, how_of(session, SETTINGS))
    asker = Asker(session, SETTINGS, 8)
    with Log.opened(tmp_path / "alone") as log:
        list(evaluate(plan, log, asker.ask))
        alone = known(log.rows)
    cases = list(cases)
    cases[30] = replace(cases[30], picture=Poison("bad"))
    plan = Plan(cases, arms, plan.how)
    with Log.opened(tmp_path / "crew") as log:
        for progress in evaluate(plan, log, asker.ask, size=4):
            if progress.new >= 20:
                break
        before = len(log.rows)
        capfd.readouterr()
        with crew_on("auto", Job(device="cpu", batch=8), workers=2) as workers:
            assert workers.wait() == plan.how
            killed = False
            for progress in workers.work(plan, log):
                if progress.new and not killed and len(workers.processes) == 2:
                    os.kill(workers.processes[0][1], signal.SIGKILL)
                    killed = True
            assert killed
            assert progress.finished
            assert progress.new == len(plan) - before
        rows = known(log.rows)
    bad = set(plan.ids(30))
    assert {key: row for key, row in rows.items() if key not in bad} == {
        key: row for key, row in alone.items() if key not in bad
    }
    assert len(bad & rows.keys()) == len(arms) == progress.errors
    assert all("Its worker ended 3 times; last: " in rows[key][-1] for key in bad)
    lines = (tmp_path / "crew" / ROWS).read_text(encoding="utf-8").splitlines()
    assert Counter(json.loads(line)["id"] for line in lines) == dict.fromkeys(rows, 1)
    # Ray writes a page for each end, also where it is told to be quiet.
    assert capfd.readouterr() == ("", "")
    assert len([one for one in caplog.messages if re.match(r"Worker \d+ on .* ended: ", one)]) == 4


def test_a_model_that_is_not_there_is_said(two_cores, tmp_path, monkeypatch, capsys) -> None:
    """Room that others hold as well, and afterwards all is free again."""
    run = ["evaluate", "scenes:1", *ASKED, "--out", str(tmp_path), "--ray", "auto"]
    assert main([*run, "--model", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "Ray: 1 worker of 1 processor core; they load the model." in told
    assert "A worker cannot load the model: No model found at" in told
    assert main([*run, "--gpus-per-worker", "1"]) == 1
    assert "no room for 1 worker of 1 GPU" in capsys.readouterr().err
    monkeypatch.setattr(cluster, "FREE", 0.5)
    other = ray.util.placement_group([{"CPU": 2}])
    assert other.wait(20)
    with (
        pytest.raises(ClusterError, match=r"Others use this cluster, .* 0 processor cores"),
        crew_on("auto", Job(), 1),
    ):
        pass
    ray.util.remove_placement_group(other)
    deadline = time.monotonic() + 20
    while ray.available_resources().get("CPU", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ray.available_resources()["CPU"] == 2


def test_machines_without_the_package_are_said(two_cores, tmp_path, monkeypatch) -> None:
    (tmp_path / "only_here.py").write_text("class Worker:\n    def load(self, *_): ...")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "Worker", importlib.import_module("only_here").Worker)
    expected = r"No module named 'only_here'\): install the same pruneviz\[ray\] on every machine"
    with crew_on("auto", Job(), 1) as workers, pytest.raises(ClusterError, match=expected):
        workers.wait()


def test_workers_that_cannot_start_are_not_started_for_ever(two_cores, monkeypatch) -> None:
    class Ends:
        def __init__(self):
            os.kill(os.getpid(), signal.SIGKILL)

        def load(self, job, threads):
            """Never asked."""

    monkeypatch.setattr(module, "Worker", Ends)
    expected = "3 workers ended before they had loaded the model; last: Worker unexpectedly exits"
    with crew_on("auto", Job(), 1) as workers, pytest.raises(ClusterError, match=expected):
        workers.wait()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "No Ray cluster answers at '127.0.0.1:1'"),
        ("ray://127.0.0.1:10001", "HOST:PORT of a cluster's head, not 'ray://127.0.0.1:10001'"),
        ("somewhere", "HOST:PORT of a cluster's head, not 'somewhere'"),
    ],
)
def test_an_address_without_a_cluster(monkeypatch, address, message) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", address)
    for given in (address, "auto"):
        with pytest.raises(PruneVizError, match=re.escape(message)), crew_on(given, Job()):
            pass


@pytest.fixture
def nobody():
    """A folder by which no cluster is found; short, for sockets in it have short names."""
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        yield folder


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up there")
def test_interrupted_it_leaves_no_process_and_goes_on_without_ray(tmp_path, nobody) -> None:
    """Ctrl+C reaches everything that was started from the terminal."""
    out, mark = tmp_path / "out", f"PRUNEVIZ_TEST={os.urandom(8).hex()}"
    name, _, value = mark.partition("=")
    command = ["evaluate", "scenes:20", *ASKED, "--out", str(out)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment |= {name: value, "OMP_NUM_THREADS": "1", "RAY_AUTH_TOKEN": os.urandom(32).hex()}
    # As a cluster that has crashed leaves it; Ray alone would try to reach it for many minutes.
    (Path(nobody) / "ray").mkdir()
    (Path(nobody) / "ray/ray_current_cluster").write_text("127.0.0.1:1")
    environment["RAY_TMPDIR"] = nobody
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "pruneviz", *command, "--ray", "auto", "--batch", "1"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = out / ROWS
    while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") > 3):
        time.sleep(0.02)
    assert len(carrying(mark)) > 2
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert "Stopped.\n" in told[1]
    assert f"run the same command again:\npruneviz evaluate scenes:20 {' '.join(ASKED)}" in told[1]
    assert "the run was stopped" in told[0]
    assert "(raylet)" not in "".join(told)
    deadline = time.monotonic() + 20
    while carrying(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert carrying(mark) == []
    before = read_rows(log)
    assert 3 < len(before) < 40
    assert main(command) == 0
    rows = read_rows(log)
    assert rows.items() >= before.items()
    assert len(rows) == 40 == log.read_bytes().count(b"\n")


def carrying(mark: str) -> list[int]:
    """Processes that have a variable in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended, or is not ours
    return found
