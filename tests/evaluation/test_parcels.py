"""Tasks on their way to other machines: nothing lost, nothing blamed on others."""

from __future__ import annotations

import pickle

import pytest
from PIL import Image

from pruneviz.engine import Budget
from pruneviz.errors import InputError
from pruneviz.evaluation import parcels as module
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.parcels import Parcel, parcel_size, parcels
from pruneviz.evaluation.pictures import BytesPicture, FilePicture
from pruneviz.evaluation.plan import Plan, Task, arms_of
from pruneviz.evaluation.scoring import Truth
from tests.evaluation.made import HOW, NoPicture

ARMS = arms_of(["fopru"], [Budget(0.5), Budget(0.25)], controls=False)


def tasks_of(pictures) -> list[Task]:
    cases = [Case(str(n), one, f"{n}?", Truth(), "", "exact") for n, one in enumerate(pictures)]
    return list(Plan(cases, ARMS, HOW).tasks(()))


def plain(count: int) -> list[Task]:
    return tasks_of([NoPicture(str(n)) for n in range(count)])


def names(several) -> list[list[str]]:
    return [[task.case.name for task in parcel.tasks] for parcel in several]


def test_all_tasks_are_in_one_parcel_each() -> None:
    assert names(parcels(plain(7), 3)) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert list(parcels([], 3)) == []


def test_large_pictures_make_small_parcels(monkeypatch) -> None:
    monkeypatch.setattr(module, "PICTURES", 25)
    large, huge = BytesPicture(b"x" * 10, "large"), BytesPicture(b"y" * 30, "huge")
    pictures = [large, large, large, huge, NoPicture("none"), large, NoPicture("none"), large]
    assert names(parcels(tasks_of(pictures), 9)) == [
        ["0", "1", "2"],  # one picture, sent once
        ["3"],
        ["4", "5", "6", "7"],
    ]
    assert names(parcels(tasks_of([large] * 5), 2)) == [["0", "1"], ["2", "3"], ["4"]]


def test_image_files_travel_as_bytes(tmp_path) -> None:
    """The machine that asks has no such file."""
    path = tmp_path / "a.png"
    Image.new("RGB", (300, 200), "red").save(path)
    pictures = [FilePicture(path, "a.png"), FilePicture(path, "a.png"), NoPicture("other")]
    parcel = Parcel(tuple(tasks_of(pictures)))
    digest = pictures[0].digest()
    sent = pickle.dumps(parcel.packed())
    assert len(sent) < len(pickle.dumps(list(parcel.tasks))) + 1.5 * path.stat().st_size
    path.unlink()
    first, second, third = pickle.loads(sent)  # noqa: S301 - our own
    assert first.case.picture.read().size == (300, 200)
    assert first.case.picture.label == "a.png"
    assert first.case.picture.digest() == second.case.picture.digest() == digest
    assert third == parcel.tasks[2]
    assert [task.ids for task in (first, second, third)] == [task.ids for task in parcel.tasks]


def test_a_file_that_is_gone_is_said_by_who_asks(tmp_path) -> None:
    path = tmp_path / "gone.png"
    path.write_bytes(b"")
    (task,) = tasks_of([FilePicture(path, "gone.png")])
    path.unlink()
    (sent,) = Parcel((task,)).packed()
    with pytest.raises(InputError, match="gone"):
        sent.case.picture.read()


def test_what_is_there_is_not_asked_again() -> None:
    parcel = Parcel(tuple(plain(2)), 1)
    first, second = parcel.tasks
    left = parcel.without({*first.ids, second.ids[1]})
    assert left.ends == 1
    (task,) = left.tasks
    assert task.ids == (second.ids[0], second.ids[2])
    assert task.arms == (second.arms[0], second.arms[2])
    assert parcel.without({*first.ids, *second.ids}) is None
    assert parcel.without(()) == parcel


def test_only_the_question_that_ends_workers_is_given_up() -> None:
    """Of 100 one is bad: three workers end, and all others are asked."""
    waiting, asked, given_up, ends = [Parcel(tuple(plain(100)))], [], [], 0
    while waiting and ends < 9:
        parcel = waiting.pop(0)
        if not any(task.case.name == "37" for task in parcel.tasks):
            asked += [task.case.name for task in parcel.tasks]
            continue
        ends += 1
        waiting += parcel.again() or given_up.append(parcel) or []
    assert ends == 3
    assert sorted(map(int, asked)) == [number for number in range(100) if number != 37]
    (bad,) = given_up
    rows = bad.given_up("out of memory")
    assert [row["id"] for row in rows] == list(bad.tasks[0].ids)
    assert {row["error"] for row in rows} == {"Its worker ended 3 times; last: out of memory"}
    assert rows[0]["answer"] is None


@pytest.mark.parametrize(
    ("questions", "workers", "batch", "size"),
    [
        (200, 2, 32, 32),
        (200, 2, 1, 25),  # one by one, and still not one message a question
        (10, 8, 32, 2),  # each has some
        (3, 8, 32, 1),
        (100_000, 4, 32, 256),
        (0, 2, 32, 1),
    ],
)
def test_size(questions, workers, batch, size) -> None:
    assert parcel_size(questions, workers, batch) == size
