"""One run of pytest in a copy of the checkout, in a process that need not import torch again."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

FAMILIES = ("clip", "siglip", "llama", "qwen2", "llava", "llava_next", "llava_onevision")
FAMILIES += ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "internvl")
FAMILIES += ("video_llava",)
HEAVY = ("pytest", "scipy.linalg", "transformers")
OURS = ("pruneviz", "tests", "training")


def pytest_run(folder: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Run pytest in a copy until the first failure; its exit code and what it said."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Forked from a server that has imported what takes long, where the system can do that.
    forks = "forkserver" in get_all_start_methods()
    context = get_context("forkserver" if forks else "spawn")
    if forks:
        families = [f"transformers.models.{name}.modeling_{name}" for name in FAMILIES]
        context.set_forkserver_preload([*HEAVY, *families])
    said = folder.parent / f"{folder.name}.txt"
    said.write_text("", encoding="utf-8")  # it may die before it says anything
    process = context.Process(target=_work, args=(str(folder), list(arguments), str(said)))
    process.start()
    process.join()
    return process.exitcode or 0, said.read_text(encoding="utf-8", errors="replace")


def _work(folder: str, arguments: list[str], said: str) -> None:
    stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(stream, number)
    os.chdir(folder)
    # The copy alone counts, and no bytecode: a file changed twice within a second would be taken
    # for unchanged.
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    here = str(Path(__file__).parents[2])
    sys.path[:] = [folder, *(path for path in sys.path if path not in ("", here))]
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    importlib.invalidate_caches()
    pytest = importlib.import_module("pytest")
    options = ["-x", "-q", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist"]
    code = int(pytest.main([*options, *arguments]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
