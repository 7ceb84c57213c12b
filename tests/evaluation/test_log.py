"""The log survives whatever ends a run."""

from __future__ import annotations

import json
import os
import sys

import pytest

from pruneviz.errors import InputError
from pruneviz.evaluation.log import ROWS, Log, read_rows


def line(key: str, **more) -> str:
    return json.dumps({"id": key, **more}) + "\n"


def write(folder, *lines: str) -> None:
    (folder / ROWS).write_text("".join(lines), encoding="utf-8")


def test_rows_come_back(tmp_path) -> None:
    folder = tmp_path / "new" / "folder"
    rows = [{"id": "a", "answer": "z\u00e9ro\u2028"}, {"id": "b", "answer": None}]
    with Log.opened(str(folder)) as log:
        log.add(rows[:1])
        log.add(rows[1:])
    with Log.opened(folder) as log:
        assert list(log.rows.values()) == rows
    assert read_rows(str(folder / ROWS)) == {row["id"]: row for row in rows}


@pytest.mark.parametrize("torn", ['{"id": "b", "ans', '{"id": "b"}', "\x00\x00", "{"])
def test_a_torn_last_line_is_dropped(tmp_path, torn) -> None:
    write(tmp_path, line("a"), torn)
    assert set(read_rows(tmp_path / ROWS)) == {"a"}
    with Log.opened(tmp_path) as log:
        assert set(log.rows) == {"a"}
        log.add([{"id": "c"}])
    assert (tmp_path / ROWS).read_text() == line("a") + line("c")


def test_the_last_of_several_counts(tmp_path) -> None:
    write(tmp_path, line("a", error="x"), line("b"), line("a", error=""))
    with Log.opened(tmp_path) as log:
        assert log.rows["a"]["error"] == ""
        assert len(log.rows) == 2


@pytest.mark.parametrize("bad", ["{\n", "[]\n", '{"id": 3}\n', "\n"])
def test_a_damaged_line_is_told(tmp_path, bad) -> None:
    write(tmp_path, line("a"), bad, line("b"))
    with pytest.raises(InputError, match=r"Line 2 .* is damaged"), Log.opened(tmp_path):
        pass
    # Nothing is lost by looking.
    assert (tmp_path / ROWS).read_text() == line("a") + bad + line("b")


def test_rows_are_synced_before_they_are_told_of(tmp_path, monkeypatch) -> None:
    seen = []
    real = os.fsync
    path = tmp_path / ROWS
    monkeypatch.setattr(os, "fsync", lambda file: (real(file), seen.append(path.read_text())))
    with Log.opened(tmp_path) as log:
        log.add([{"id": "a"}, {"id": "b"}])
        assert seen == [line("a") + line("b")]


def test_numbers_that_json_lacks_are_refused(tmp_path) -> None:
    with Log.opened(tmp_path) as log:
        with pytest.raises(ValueError, match="JSON"):
            log.add([{"id": "a", "flops": float("nan")}])
        log.add([{"id": "b"}])
    assert set(read_rows(tmp_path / ROWS)) == {"b"}


@pytest.mark.skipif(sys.platform == "win32", reason="no such lock there")
def test_two_runs_do_not_write_to_one_log(tmp_path) -> None:
    refused = pytest.raises(InputError, match="Another run writes")
    with Log.opened(tmp_path), refused, Log.opened(tmp_path):
        pass
    with Log.opened(tmp_path) as log:
        log.add([{"id": "a"}])


def test_a_closed_log_takes_nothing(tmp_path) -> None:
    with Log.opened(tmp_path) as log:
        pass
    with pytest.raises(ValueError, match="closed"):
        log.add([{"id": "a"}])
