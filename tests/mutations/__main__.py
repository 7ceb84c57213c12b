"""``python -m tests.mutations [NAME ...]``: run the mutations and show which tests noticed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.runner import (
    ROOT,
    CatalogueError,
    Mutation,
    Outcome,
    check_unchanged,
    copied,
    methods_without,
    run_one,
)


def main(words: Sequence[str] | None = None) -> int:
    """0 if every mutation was noticed, 1 if one was not or could not be tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names or files; default: all")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="mutations at a time")
    parser.add_argument("--list", action="store_true", help="only name them, and check their texts")
    parser.add_argument(
        "--unchecked", action="store_true", help="do not first run the tests on unchanged code"
    )
    parser.add_argument("--full", action="store_true", help="run pytest with --full")
    asked = parser.parse_args(words)
    chosen = [m for m in MUTATIONS if _wanted(m, asked.names)]
    options = ["--full"] if asked.full else []
    if not chosen:
        parser.error("No mutation has such a name.")
    try:
        for mutation in chosen:
            mutation.applied(ROOT)
        if asked.list:
            _say("\n".join(f"{m.file}: {m.name}" for m in chosen))
            return 0
        outcomes = _run(chosen, asked.jobs, options, not asked.unchecked)
    except CatalogueError as error:
        _say(str(error))
        return 1
    _say("\n" + table(outcomes))
    untried = methods_without(MUTATIONS)
    if untried:
        _say(f"Methods that no mutation is in: {', '.join(untried)}.")
    return int(any(outcome.result != "killed" for outcome in outcomes))


def _wanted(mutation: Mutation, names: Sequence[str]) -> bool:
    return not names or any(name in f"{mutation.file}: {mutation.name}" for name in names)


def _run(
    chosen: Sequence[Mutation], jobs: int, options: Sequence[str], check: bool
) -> list[Outcome]:
    with ExitStack() as stack:
        free = SimpleQueue()
        for _ in range(jobs):
            free.put(stack.enter_context(copied()))
        if check:
            folder = free.get()
            check_unchanged(chosen, folder, options)
            free.put(folder)

        def work(mutation: Mutation) -> Outcome:
            folder = free.get()
            try:
                outcome = run_one(mutation, folder, options)
            finally:
                free.put(folder)
            _say(f"{outcome.result:9}{outcome.seconds:6.1f} s  {mutation.name}")
            return outcome

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(work, chosen))


def table(outcomes: Sequence[Outcome]) -> str:
    """All outcomes, and how many there are of each kind."""
    rows = [f"{o.result:9}{o.mutation.file}: {o.mutation.name}\n{'':9}{o.by}" for o in outcomes]
    counts = {
        kind: sum(outcome.result == kind for outcome in outcomes)
        for kind in ("killed", "SURVIVED", "ERROR")
    }
    return "\n".join([*rows, ", ".join(f"{count} {kind}" for kind, count in counts.items())])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
