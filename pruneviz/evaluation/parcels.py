"""Tasks as they travel to other machines: some at a time, pictures with them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from pruneviz.evaluation.asking import failed
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.pictures import BytesPicture, FilePicture, Picture
from pruneviz.evaluation.plan import Task
from pruneviz.evaluation.runner import UNIT

PARTS = 4
"""Parcels a worker gets of a long run: the last to end does not keep the others waiting long."""
PICTURES = 2**25
"""Bytes of image files in a parcel at most, unless a single one is larger."""
ENDS = 3
"""Workers that may end on a question before it counts as failed."""
PIECES = 8
"""Parcels made of one on which a worker ended: the next such end is about few questions."""


class WorkerEndedError(Exception):
    """Why rows of a question are missing: whatever asked it ended, again and again."""


@dataclass(frozen=True)
class Parcel:
    """Tasks that are sent together.

    Attributes
    ----------
    tasks : tuple of Task
        At least one.
    ends : int
        Workers that ended while they had these tasks.
    """

    tasks: tuple[Task, ...]
    ends: int = 0

    def packed(self) -> list[Task]:
        """The tasks with the bytes of their image files in place of paths.

        Files that cannot be read stay paths: who asks finds out what is wrong with them.
        """
        # The same object for the same file: pickle writes it once.
        read = cache(_with_bytes)
        packed = []
        for task in self.tasks:
            picture = task.case.picture
            if isinstance(picture, FilePicture):
                task = replace(task, case=replace(task.case, picture=read(picture)))
            packed.append(task)
        return packed

    def without(self, there: Collection[str]) -> Parcel | None:
        """What is left of it when some rows are there; None where nothing is."""
        tasks = []
        for task in self.tasks:
            left = [place for place, key in enumerate(task.ids) if key not in there]
            if left:
                arms = tuple(task.arms[place] for place in left)
                tasks.append(Task(task.case, arms, tuple(task.ids[place] for place in left)))
        return replace(self, tasks=tuple(tasks)) if tasks else None

    def again(self) -> list[Parcel]:
        """What is to be sent after a worker ended on it; nothing where that was too often.

        Which question it was is not known, so the next time they go in pieces, then alone: no
        question fails for what another did.
        """
        ends = self.ends + 1
        if ends >= ENDS:
            return []
        size = 1 if ends == ENDS - 1 else math.ceil(len(self.tasks) / PIECES)
        starts = range(0, len(self.tasks), size)
        return [Parcel(self.tasks[start : start + size], ends) for start in starts]

    def given_up(self, reason: str) -> list[Row]:
        """Rows with an error for all that is in it."""
        error = WorkerEndedError(f"Its worker ended {self.ends + 1} times; last: {reason}")
        return [failed(task, arm, error) for task in self.tasks for arm in task.arms]


def parcels(tasks: Iterable[Task], size: int) -> Iterator[Parcel]:
    """Parcels of so many tasks, or of fewer where their pictures are large."""
    held: list[Task] = []
    before: Picture | None = None
    weight = 0
    for task in tasks:
        picture = task.case.picture
        # Questions about one picture follow one another, and it is sent once.
        more = 0 if held and picture == before else _weight(picture)
        if held and (len(held) == size or weight + more > PICTURES):
            yield Parcel(tuple(held))
            held, weight, more = [], 0, _weight(picture)
        held.append(task)
        before, weight = picture, weight + more
    if held:
        yield Parcel(tuple(held))


def parcel_size(questions: int, workers: int, batch: int) -> int:
    """Questions a parcel: many in a long run, and never so many that a worker gets none."""
    share = math.ceil(questions / workers)
    return max(1, min(batch, share), min(UNIT, math.ceil(share / PARTS)))


def _with_bytes(picture: FilePicture) -> Picture:
    try:
        return BytesPicture(picture.path.read_bytes(), picture.label)
    except OSError:
        return picture


def _weight(picture: Picture) -> int:
    if isinstance(picture, BytesPicture):
        return len(picture.data)
    if isinstance(picture, FilePicture) and picture.path.is_file():
        return picture.path.stat().st_size
    return 0
