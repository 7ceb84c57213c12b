"""Workers on a Ray cluster that work one plan off; the log is written here alone."""

from __future__ import annotations

import logging
import math
import os
import re
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from pruneviz.errors import PruneVizError, told
from pruneviz.evaluation.cluster import (
    ClusterError,
    Share,
    check_asked,
    connected,
    machines_of,
    reserved,
    share_of,
)
from pruneviz.evaluation.log import Log, Row
from pruneviz.evaluation.parcels import Parcel, parcel_size, parcels
from pruneviz.evaluation.plan import How, Plan
from pruneviz.evaluation.runner import Progress, Tally, units
from pruneviz.evaluation.worker import Found, Job, Worker, check_alike, found_here

STARTS = 3
"""Workers that may end, one after another, before any has loaded the model."""
PATIENCE = 60.0
"""Seconds after which it is asked whether the cluster still has room for us."""
NO_IMPORT = re.compile(r"(?:ModuleNotFound|Import)Error: .*")
HANDED_ON = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Settings of this process that hold for workers as well."""
logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Member:
    """A worker's place: who fills it, what it is at, and which rows of that have come."""

    place: int
    actor: Any = None
    waited: Any = None  # a reference, or a generator of them: what Ray can wait for
    found: Found | None = None
    parcel: Parcel | None = None
    there: set[str] = field(default_factory=set)


class Crew:
    """Workers that hold the model of a job; from :func:`crew_on`.

    Attributes
    ----------
    share : Share
        What they take of the cluster.
    """

    def __init__(self, ray: Any, group: Any, job: Job, share: Share) -> None:
        self._ray, self._group, self._job, self.share = ray, group, job, share
        self._here = found_here()
        self._first: Found | None = None
        self._failed_starts = 0
        self._told: set[str] = set()
        self._members = [_Member(place) for place in range(share.workers)]
        self._fill()

    @property
    def processes(self) -> list[tuple[str, int]]:
        """Machine and process of every worker that has loaded the model."""
        found = [member.found for member in self._members if member.found is not None]
        return [(one.host, one.process) for one in found]

    def wait(self) -> How:
        """How the model is run, as the first worker that has loaded it says.

        Raises
        ------
        ClusterError, InputError
            If it cannot be loaded there, or they run other code than this process.
        """
        while self._first is None or self._first.how is None:
            for member in self._ready():
                self._welcome(member)
        return self._first.how

    def work(self, plan: Plan, log: Log, retry: bool = False) -> Generator[Progress]:
        """Ask what has no row yet, as :func:`pruneviz.evaluation.evaluate` does.

        A worker that ends is replaced, and what it had is asked again; a question on which several
        end is a row with an error. Closing the generator ends the workers that are at something.

        Raises
        ------
        ClusterError, InputError
            If workers can no longer be had, or do not run the same model.
        """
        tally = Tally(plan, log, retry)
        yield (progress := tally.progress())
        self._fill()
        share_left = 1 - progress.done / progress.total
        questions = math.ceil(len(plan.cases) * share_left)
        size = parcel_size(questions, self.share.workers, self._job.batch)
        fresh = parcels(chain.from_iterable(units(plan, log, retry=retry)), size)
        waiting: deque[Parcel] = deque()
        try:
            while self._hand_out(waiting, fresh):
                for member in self._ready():
                    rows = self._received(member, waiting)
                    if rows:
                        tally.add(rows)
                        yield tally.progress()
        finally:
            for member in self._members:
                if member.parcel is not None:
                    self._end(member)

    def end(self) -> None:
        """End all workers."""
        for member in self._members:
            self._end(member)

    def _fill(self) -> None:
        """Start a worker in every place that has none."""
        options: dict[str, Any] = {"num_cpus": self.share.cpus, "num_gpus": self.share.gpus}
        variables = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        if variables:
            options["runtime_env"] = {"env_vars": variables}
        strategy = self._ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy
        for member in self._members:
            if member.actor is None:
                place = strategy(self._group, member.place)
                actor = self._ray.remote(Worker).options(scheduling_strategy=place, **options)
                member.actor = actor.remote()
                member.waited = member.actor.load.remote(self._job, self.share.cpus)

    def _end(self, member: _Member) -> None:
        if member.actor is not None:
            self._ray.kill(member.actor)
        member.actor = member.waited = member.found = member.parcel = None

    def _hand_out(self, waiting: deque[Parcel], fresh: Iterator[Parcel]) -> bool:
        """Give everyone who has nothing a parcel; whether there is anything left to wait for.

        One each, and one in hand: however many questions there are, few are in memory.
        """
        for member in self._members:
            if not waiting:
                waiting.extend(islice(fresh, 1))
            if waiting and member.found is not None and member.parcel is None:
                member.parcel, member.there = waiting.popleft(), set()
                member.waited = member.actor.ask.remote(member.parcel.packed())
        return bool(waiting) or any(member.parcel is not None for member in self._members)

    def _ready(self) -> list[_Member]:
        """Wait for those who have something to say."""
        waited = [member.waited for member in self._members if member.waited is not None]
        while not self._ray.wait(waited, timeout=PATIENCE)[0]:
            self._check_room()
        # All of them: none is to wait because others before it have always something to say.
        ready, _ = self._ray.wait(waited, num_returns=len(waited), timeout=0)
        return [one for one in self._members if any(one.waited is found for found in ready)]

    def _check_room(self) -> None:
        """Do not wait for ever for a machine that has gone."""
        state = self._ray.util.placement_group_table(self._group)["state"]
        if state != "CREATED" and all(member.found is None for member in self._members):
            raise ClusterError(
                f"The cluster has lost machines, and has no room left for {self.share.title}."
            )

    def _welcome(self, member: _Member) -> None:
        """Hear what a new worker is, or that there is none."""
        errors = self._ray.exceptions
        try:
            found: Found = self._ray.get(member.waited)
        except errors.RayTaskError as error:
            why = told(error.cause) if isinstance(error.cause, PruneVizError) else reason(error)
            raise ClusterError(f"A worker cannot load the model: {why}") from error
        except errors.RayError as error:
            missing = NO_IMPORT.search(str(error))
            if missing:
                raise ClusterError(
                    f"A worker has not what it needs ({missing[0]}): install the same "
                    "pruneviz[ray] on every machine."
                ) from error
            self._failed_starts += 1
            if self._failed_starts == STARTS:
                raise ClusterError(
                    f"{STARTS} workers ended before they had loaded the model; last: "
                    f"{reason(error)}"
                ) from error
            self._end(member)
            self._fill()
            return
        for other in filter(None, (self._here, self._first)):
            self._tell(check_alike(other, found))
        self._first = self._first or found
        self._failed_starts = 0
        member.found, member.waited = found, None

    def _received(self, member: _Member, waiting: deque[Parcel]) -> list[Row]:
        """Rows that have come; what is to be asked again goes to those who wait."""
        if member.found is None or member.parcel is None:
            self._welcome(member)
            return []
        try:
            rows: list[Row] = self._ray.get(next(member.waited))
        except StopIteration:
            left = member.parcel.without(member.there)
            if left is not None:
                return self._replaced(member, "it gave no answer", waiting)
            member.parcel = member.waited = None
            return []
        except self._ray.exceptions.RayError as error:
            return self._replaced(member, reason(error), waiting)
        member.there |= {row["id"] for row in rows}
        return rows

    def _replaced(self, member: _Member, why: str, waiting: deque[Parcel]) -> list[Row]:
        """Put another in a worker's place; rows of what has ended too many of them."""
        assert member.parcel is not None and member.found is not None  # noqa: S101, PT018
        self._tell([f"Worker {member.found.process} on {member.found.host} ended: {why}"])
        left = member.parcel.without(member.there)
        self._end(member)
        self._fill()
        if left is None:
            return []
        pieces = left.again()
        waiting.extend(pieces)
        return [] if pieces else left.given_up(why)

    def _tell(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            if sentence not in self._told:
                logger.warning(sentence)
                self._told.add(sentence)


@contextmanager
def crew_on(
    address: str, job: Job, workers: int | None = None, gpus: float | None = None
) -> Iterator[Crew]:
    """Workers on a cluster, for as long as the block runs.

    Parameters
    ----------
    address : str
        See ``evaluation.cluster.connected``.
    job : Job
        What they load.
    workers, gpus
        See ``evaluation.cluster.share_of``.

    Raises
    ------
    InputError
        On numbers that no cluster has, or where Ray is not installed.
    ClusterError
        If there is no such cluster, or it has not so much, or not free.
    """
    check_asked(workers, gpus, job.device)
    with connected(address) as ray:
        most = os.environ.get("OMP_NUM_THREADS", "")
        threads = int(most) if most.isdecimal() else 0
        share = share_of(machines_of(ray), workers, gpus, job.device, threads)
        # Without a GPU of its own a worker must not take one that is there.
        device = "cpu" if job.device == "auto" and not share.gpus else job.device
        with reserved(ray, share) as group:
            started = Crew(ray, group, replace(job.anywhere(), device=device), share)
            try:
                yield started
            finally:
                started.end()


def reason(error: Exception) -> str:
    """Why a worker ended, in a line, of all that Ray says about it."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return f"{type(cause).__name__}: {told(cause)}"
    text = " ".join(str(error).split())
    return text.rpartition("Worker exit detail: ")[2].partition(" Some common causes")[0][:400]
