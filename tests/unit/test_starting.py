"""The first seconds of a program: nothing heavy is imported unasked, and Ctrl+C is heard."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

import pruneviz
from pruneviz.starting import INTERRUPTED, quietly

INTERRUPTS = """
import os, signal, time
from pruneviz.starting import quietly
with quietly("it"):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except BaseException:  # as importers do
        raise ImportError
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a process alone.")
def test_ctrl_c_while_parts_are_imported_is_one_line() -> None:
    ended = run(INTERRUPTS)
    assert (ended.returncode, ended.stderr) == (INTERRUPTED, "\nit: stopped.\n")


def test_ctrl_c_is_as_before_afterwards() -> None:
    with quietly("it"):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_package_alone_imports_nothing_that_takes_seconds() -> None:
    code = "import sys, pruneviz; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    assert run(code).returncode == 0


def test_every_name_is_there_when_it_is_asked_for() -> None:
    code = "import pruneviz\nfrom pruneviz import *\nprune, pruneviz.methods.TransPrune"
    assert run(code).stderr == ""
    assert all(getattr(pruneviz, name) is not None for name in pruneviz.__all__)
    assert set(pruneviz.__all__) < set(dir(pruneviz))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        pruneviz.nothing  # noqa: B018
