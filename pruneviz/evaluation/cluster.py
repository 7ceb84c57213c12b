"""A Ray cluster: find it or start one here, see what it has, and take a share of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from pruneviz.errors import InputError, PruneVizError

AUTO, HERE = "auto", "local"
MISSING = 'Ray is not installed here, and --ray needs it: pip install "pruneviz[ray]".'
REACH = 10.0
"""Seconds in which a cluster's address must answer."""
FREE = 20.0
"""Seconds in which a share must be free: what a killed run held is free again within them."""
STORE = 2**29
"""Bytes of shared memory where Ray is started here: questions and rows are small."""
GPU_THREADS = 4
"""Processor cores of a worker with a GPU, which does little beside it."""
QUIET = 40
"""Ray logs errors alone."""


class ClusterError(PruneVizError, RuntimeError):
    """A cluster cannot be used, or is not what it was."""


@dataclass(frozen=True)
class Machine:
    """What one machine of a cluster has.

    Attributes
    ----------
    cpus : int
        Processor cores.
    gpus : float
        GPUs.
    """

    cpus: int
    gpus: float

    def fits(self, cpus: int, gpus: float) -> int:
        """Workers of that size that it has room for."""
        by_gpu = int(self.gpus / gpus + 1e-6) if gpus else self.cpus
        return min(self.cpus // cpus, by_gpu)


@dataclass(frozen=True)
class Share:
    """What a run takes of a cluster.

    Attributes
    ----------
    workers : int
        Processes that hold the model.
    cpus : int
        Processor cores of each, and its threads.
    gpus : float
        GPUs of each; below 1 several lie on one.
    """

    workers: int
    cpus: int
    gpus: float

    @property
    def title(self) -> str:
        """For people."""
        each = [_count(self.gpus, "GPU")] if self.gpus else []
        each.append(_count(self.cpus, "processor core"))
        several = " each" if self.workers > 1 else ""
        return f"{_count(self.workers, 'worker')} of {' and '.join(each)}{several}"


def check_asked(workers: int | None, gpus: float | None, device: str) -> None:
    """Refuse what no cluster can give; raises InputError."""
    if workers is not None and workers < 1:
        raise InputError(f"--workers must be at least 1, not {workers}.")
    if gpus is not None and not 0 <= gpus <= 1:
        raise InputError(
            f"--gpus-per-worker must be from 0 to 1, not {gpus:g}: a model lies on one GPU, which "
            "workers may share."
        )
    if ":" in device:
        raise InputError(f"With --ray the device is auto, cpu or cuda, not {device}: Ray chooses.")
    if gpus and device == "cpu":
        raise InputError("--device cpu needs no GPU: leave out --gpus-per-worker.")


def share_of(
    machines: Sequence[Machine],
    workers: int | None = None,
    gpus: float | None = None,
    device: str = "auto",
    most_threads: int = 0,
) -> Share:
    """What to take of a cluster.

    Parameters
    ----------
    machines : sequence of Machine
        All it has, free or not.
    workers : int, optional
        Default: one for each GPU, or each part of one asked for; without GPUs one a machine.
    gpus : float, optional
        Of each worker, from 0 to 1. Default: 1 where there are any or the device is ``"cuda"``.
    device : str
        What the model is loaded on.
    most_threads : int
        Processor cores of a worker at most; 0: with a GPU 4, else what there is room for.

    Raises
    ------
    ClusterError
        If it has not so much: it never will, so nobody should wait for it.
    """
    if gpus is None:
        wanted = device == "cuda" or (device == "auto" and any(one.gpus >= 1 for one in machines))
        gpus = 1.0 if wanted else 0.0
    if workers is None:
        room = sum(one.fits(1, gpus) if gpus else one.cpus >= 1 for one in machines)
        workers = max(1, room)
    most = most_threads or (GPU_THREADS if gpus else max((one.cpus for one in machines), default=0))
    for cpus in range(most, 0, -1):
        if sum(one.fits(cpus, gpus) for one in machines) >= workers:
            return Share(workers, cpus, gpus)
    has = (
        f"{_count(sum(one.gpus for one in machines), 'GPU')} and "
        f"{_count(sum(one.cpus for one in machines), 'processor core')} on "
        f"{_count(len(machines), 'machine')}"
    )
    room = sum(one.fits(1, gpus) for one in machines)
    without = " Give --gpus-per-worker 0 to do without." if gpus else ""
    advice = f" Give --workers {room} at most." if room else without
    raise ClusterError(
        f"This cluster has no room for {Share(workers, 1, gpus).title}: it has {has}.{advice}"
    )


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ``ray``, connected for as long as the block runs.

    Parameters
    ----------
    address : str
        ``host:port`` of a cluster's head; ``"local"`` to start Ray on this machine; ``"auto"``: the
        cluster that runs here or that ``RAY_ADDRESS`` names, else as ``"local"``. A process that is
        connected already stays so, whatever the address.

    Raises
    ------
    InputError
        If Ray is not installed, or the address is none.
    ClusterError
        If there is no such cluster, or it runs another release of Ray or Python.
    """
    # Ray reads this when it is imported and hands it to what it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if find_spec("ray") is None:
        raise InputError(MISSING)
    import ray

    with _quiet(ray):
        if ray.is_initialized():
            yield ray
            return
        address = _found(ray) if address == AUTO else address
        if address != HERE:
            _check_answers(address)
        try:
            _connect(ray, address)
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """Keep out of our output what Ray writes when a worker ends, whatever log_to_driver says."""
    worker = ray._private.worker
    before = getattr(worker, "_worker_logs_enabled", True)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


def _found(ray: Any) -> str:
    """The cluster that the environment names, or that runs here, else to start one."""
    named = os.environ.get("RAY_ADDRESS", "")
    if named not in ("", AUTO):
        return named
    noted = ray._private.utils.read_ray_address() or HERE
    try:
        _check_answers(noted)
    except PruneVizError:
        # What Ray has noted of the last cluster outlives a crash of it.
        return HERE
    return str(noted)


def _connect(ray: Any, address: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": QUIET}
    here = {"include_dashboard": False, "object_store_memory": STORE} if address == HERE else {}
    try:
        ray.init(address=address, **here, **quiet)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        why = " ".join(str(error).split())
        raise ClusterError(f"The Ray cluster at {address!r} cannot be used: {why}") from error


def _check_answers(address: str) -> None:
    """Say at once that nobody is there, for which Ray takes a minute."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise InputError(
            f"--ray takes auto, local or HOST:PORT of a cluster's head, not {address!r}. From "
            "outside of a cluster send the command to it with `ray job submit`."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH).close()
    except OSError as error:
        raise ClusterError(f"No Ray cluster answers at {address!r}: {error}.") from error


def machines_of(ray: Any) -> list[Machine]:
    """What the machines of a cluster have."""
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Machine(int(one.get("CPU", 0)), float(one.get("GPU", 0))) for one in found]


@contextmanager
def reserved(ray: Any, share: Share) -> Iterator[Any]:
    """A placement group: room that stays ours, so that a worker's successor finds its place.

    Raises
    ------
    ClusterError
        If others use it.
    """
    bundle = {"CPU": share.cpus} | ({"GPU": share.gpus} if share.gpus else {})
    group = ray.util.placement_group([bundle] * share.workers, strategy="SPREAD")
    try:
        if not group.wait(FREE):
            free = ray.available_resources()
            raise ClusterError(
                f"Others use this cluster, and {share.title} must wait for them: free are "
                f"{_count(free.get('GPU', 0), 'GPU')} and "
                f"{_count(free.get('CPU', 0), 'processor core')}. Give fewer --workers, or come "
                "back later."
            )
        yield group
    finally:
        ray.util.remove_placement_group(group)
