"""The endpoint `/evaluate`."""

from __future__ import annotations

import json

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from pruneviz.engine import Shelf
from pruneviz.ui.howmuch import api
from pruneviz.ui.howmuch.wanted import Wanted
from tests.ui.conftest import connect
from tests.ui.howmuch.made import ROWS, SMALL, own_set

ASKED = {"methods": ["fopru", "fastv"], "budgets": [0.5, 0.03], "count": 6, "draws": 2}


@pytest.fixture(scope="module")
def client(url) -> Client:
    return connect(url)


def test_a_built_in_set(client) -> None:
    result = client.predict(**ASKED, api_name="/evaluate")
    assert (result["questions"], result["rows"]) == (6, ROWS)
    entries = [(one["method"], one["budget"]) for one in result["entries"]]
    assert entries[:3] == [("none", 1), ("fopru", 0.5), ("fopru", 0.03)]
    assert all(one["errors"] == 0 for one in result["entries"])
    assert {one["method"] for one in result["recommended"]} == {name for name, _ in entries[1:]}
    assert "too few to be sure" in result["recommended"][0]["sentence"]
    assert result["command"].startswith("pruneviz evaluate scenes:6:0 --method fopru")


def test_ones_own_file(client, tmp_path) -> None:
    upload = handle_file(own_set(tmp_path))
    result = client.predict(
        methods=["uniform"],
        budgets=[0.4],
        file=upload,
        budget_kind="compute",
        scoring="contains",
        api_name="/evaluate",
    )
    assert result["questions"] == 3
    assert {one["budget_kind"] for one in result["entries"][1:]} == {"compute"}
    assert "--scoring contains" in result["command"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": []}, "at least one method"),
        ({"methods": "random"}, "at least one method"),
        ({"methods": ["nothing"]}, "Unknown method"),
        ({"budgets": []}, "at least one budget"),
        ({"budgets": [2]}, "up to 1"),
        ({"budgets": ["a"]}, "up to 1"),
        ({"budget_kind": "flops"}, "kind of budget"),
        ({"questions": "/etc"}, "Unknown set"),
        ({"questions": "own"}, "Choose your files first"),
        ({"count": 1000}, "At most 2,000 are run here"),
        ({"tolerance": -1}, "tolerance"),
        ({"model": "nothing/here"}, "not offered"),
        ({"file": "/etc/hostname"}, "file must be an uploaded file"),
    ],
)
def test_refusals_say_what_is_wrong(client, changes, words) -> None:
    with pytest.raises(AppError, match=words):
        client.predict(**ASKED | changes, api_name="/evaluate")


def test_it_ends_when_its_time_is_over(session, monkeypatch) -> None:
    monkeypatch.setattr(api, "SECONDS", 0.0)
    wanted = Wanted(count=40, methods=SMALL.methods, budgets=[0.5, 0.25])
    result = api.answer(Shelf.of(session), "", wanted)
    assert "rows are there: the run was stopped" in result["problems"][0]
    json.dumps(result, allow_nan=False)
