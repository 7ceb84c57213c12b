"""Whether a kernel runs, and what happens where one cannot."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import TypeVar

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

_allowed: ContextVar[bool] = ContextVar("pruneviz_kernels", default=True)
_failed: set[str] = set()
Result = TypeVar("Result")


@contextmanager
def plain_only() -> Iterator[None]:
    """Within this context the plain torch versions run on every device."""
    before = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(before)


def wanted(x: torch.Tensor, use_kernel: bool | None) -> bool:
    """Whether a kernel is to run on this tensor.

    `use_kernel` as given where it is; else on NVIDIA cards where triton is installed. Not where
    somebody looks at every operator, to count its arithmetic or to work on shapes alone: a
    kernel is none.
    """
    if use_kernel is not None:
        return use_kernel
    if not x.is_cuda or torch.version.hip is not None or _get_current_dispatch_mode() is not None:
        return False
    return _allowed.get() and _installed()


@cache
def _installed() -> bool:
    return find_spec("triton") is not None


@cache
def _failures() -> tuple[type[Exception], ...]:
    """What a kernel raises that cannot be built or started here.

    Beside triton's own: no C compiler for its launcher (RuntimeError, OSError), an option that
    an older release does not know (KeyError, TypeError, AttributeError).
    """
    known = [
        RuntimeError, OSError, ImportError, KeyError, TypeError, ValueError, AttributeError,
        NotImplementedError, subprocess.SubprocessError,
    ]  # fmt: skip
    try:
        from triton.runtime.errors import TritonError
    except ImportError:
        return tuple(known)
    return (*known, TritonError)


def attempt(
    name: str, kernel: Callable[[], Result], plain: Callable[[], Result], use_kernel: bool | None
) -> Result:
    """Run a kernel, or the plain version where it fails; says so once, and does not try again.

    With `use_kernel` set the failure is raised instead.
    """
    if use_kernel:
        return kernel()
    if name not in _failed:
        try:
            return kernel()
        except _failures() as error:
            _failed.add(name)
            warnings.warn(
                f"The GPU kernel for {name} does not run here and is replaced by plain torch, "
                f"which picks the same but takes longer: {type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=3,
            )
    return plain()
