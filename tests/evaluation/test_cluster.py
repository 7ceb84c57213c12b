"""What a run takes of a cluster, and what it says where there is not so much; no Ray needed."""

from __future__ import annotations

import builtins
from dataclasses import replace

import pytest

from pruneviz.cli import main
from pruneviz.errors import InputError
from pruneviz.evaluation import cluster
from pruneviz.evaluation.cluster import (
    MISSING,
    ClusterError,
    Machine,
    Share,
    check_asked,
    share_of,
)
from pruneviz.evaluation.worker import Found, Job, check_alike, found_here
from tests.evaluation.made import HOW

LAPTOP = [Machine(8, 0)]
MIXED = [Machine(16, 4), Machine(16, 4), Machine(8, 0)]


@pytest.mark.parametrize(
    ("machines", "asked", "share"),
    [
        (LAPTOP, {}, Share(1, 8, 0)),
        (LAPTOP, {"workers": 2}, Share(2, 4, 0)),
        (LAPTOP, {"workers": 3}, Share(3, 2, 0)),
        (LAPTOP, {"workers": 2, "most_threads": 1}, Share(2, 1, 0)),
        ([*LAPTOP, *LAPTOP], {}, Share(2, 8, 0)),
        # Of 8 and 8 cores three workers cannot have 5 each: no machine has room for two such.
        ([*LAPTOP, *LAPTOP], {"workers": 3}, Share(3, 4, 0)),
        (MIXED, {}, Share(8, 4, 1)),
        (MIXED, {"workers": 2}, Share(2, 4, 1)),
        (MIXED, {"gpus": 0.5}, Share(16, 2, 0.5)),
        (MIXED, {"gpus": 0}, Share(3, 8, 0)),
        (MIXED, {"device": "cpu"}, Share(3, 8, 0)),
        ([Machine(2, 1)], {}, Share(1, 2, 1)),
        ([Machine(32, 1)], {"gpus": 1 / 3}, Share(3, 4, 1 / 3)),
    ],
)
def test_share(machines, asked, share) -> None:
    assert share_of(machines, **asked) == share


@pytest.mark.parametrize(
    ("machines", "asked", "message"),
    [
        (LAPTOP, {"gpus": 1}, r"for 1 worker of 1 GPU .*: it has 0 GPUs .*--gpus-per-worker 0"),
        (LAPTOP, {"device": "cuda"}, "it has 0 GPUs and 8 processor cores on 1 machine"),
        (LAPTOP, {"workers": 9}, "Give --workers 8 at most"),
        (MIXED, {"workers": 9, "gpus": 1}, "it has 8 GPUs .* on 3 machines. Give --workers 8 at"),
        # Eight GPUs and cores enough, but not on the same machines.
        ([Machine(2, 8), Machine(64, 0)], {"workers": 8, "gpus": 1}, "Give --workers 2 at most"),
        ([], {}, "on 0 machines"),
    ],
)
def test_what_a_cluster_has_not_is_said(machines, asked, message) -> None:
    with pytest.raises(ClusterError, match=message):
        share_of(machines, **asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((0, None, "auto"), "--workers must be at least 1"),
        ((1, 2, "auto"), "from 0 to 1, not 2"),
        ((1, -0.5, "auto"), "from 0 to 1"),
        ((1, float("nan"), "auto"), "from 0 to 1"),
        ((1, None, "cuda:1"), "Ray chooses"),
        ((1, 1, "cpu"), "needs no GPU"),
    ],
)
def test_what_no_cluster_has_is_refused(asked, message) -> None:
    with pytest.raises(InputError, match=message):
        check_asked(*asked)


def test_without_ray(tmp_path, monkeypatch, capsys) -> None:
    real = builtins.__import__

    def none(name, *args, **kwargs):
        assert name != "ray"
        return real(name, *args, **kwargs)

    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    monkeypatch.setattr(builtins, "__import__", none)
    run = ["evaluate", "scenes:1", "--method", "fopru", "--out", str(tmp_path), "--ray", "auto"]
    assert main(run) == 1
    assert capsys.readouterr().err == f"pruneviz: {MISSING}\n"


@pytest.mark.parametrize("option", ["--workers", "--gpus-per-worker"])
def test_options_of_ray_go_with_it(tmp_path, capsys, option) -> None:
    run = ["evaluate", "scenes:1", "--method", "fopru", "--out", str(tmp_path), option, "1"]
    assert main(run) == 1
    assert capsys.readouterr().err == f"pruneviz: {option} goes with --ray.\n"


FOUND = Found("head", 1, "code", {"torch": "2.13.0", "Python": "3.11.7"}, HOW)


def test_processes_alike_need_no_words() -> None:
    assert check_alike(FOUND, replace(FOUND, host="other", process=2)) == []
    here = found_here()
    assert check_alike(here, replace(here, how=HOW)) == []
    assert here.libraries.keys() >= {"torch", "transformers", "Python"}


def test_processes_that_differ_are_told_or_refused() -> None:
    other = replace(FOUND, host="other")
    newer = replace(other, libraries={**FOUND.libraries, "torch": "2.14.0"})
    assert check_alike(FOUND, newer) == [
        "torch is 2.13.0 on head and 2.14.0 on other: answers may differ."
    ]
    with pytest.raises(InputError, match="other runs other code of pruneviz than head"):
        check_alike(FOUND, replace(other, code="x"))
    half = replace(HOW, dtype="float16")
    with pytest.raises(InputError, match=r"head and other .*: dtype float32 and float16"):
        check_alike(FOUND, replace(other, how=half))


def test_a_folder_is_sent_from_the_root(tmp_path, monkeypatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Job("model").anywhere() == Job(str(tmp_path / "model"))
    assert Job("some/hub-model").anywhere() == Job("some/hub-model")
    (tmp_path / "embedded").mkdir()
    assert Job().anywhere() == Job()
