"""Errors in the tab that asks many questions: uploads, taking turns, and what counts so far."""

from __future__ import annotations

from tests.mutations.runner import Mutation

UNPACKING = "tests/ui/howmuch/test_unpacking.py"
WANTED = "tests/ui/howmuch/test_wanted.py"
RUNNING = "tests/ui/howmuch/test_running.py"
RESULTS = "tests/ui/howmuch/test_results.py"
TURNS = "tests/engine/test_turns.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


HOWMUCH = (
    _in(
        "engine/turns",
        "Who came last gets the model first",
        "self._waiting.popleft()",
        "self._waiting.pop()",
        TURNS,
    ),
    _in(
        "ui/howmuch/unpacking",
        "Files of a ZIP may lead out of their folder",
        'path.is_absolute() or ".." in path.parts or not path.parts',
        "path.is_absolute() or not path.parts",
        UNPACKING,
    ),
    _in(
        "ui/howmuch/unpacking",
        "Each file of a ZIP may take as much as all",
        "if written > most:",
        "if written > MAX_BYTES:",
        UNPACKING,
    ),
    _in(
        "ui/howmuch/unpacking",
        "Links in a ZIP are taken for files",
        "if stat.S_ISLNK(entry.external_attr >> 16):",
        "if stat.S_ISLNK(entry.external_attr):",
        UNPACKING,
    ),
    _in(
        "ui/howmuch/wanted",
        "Uploaded files may name any picture of the server",
        "file_cases(path, wanted.scoring, inside=True)",
        "file_cases(path, wanted.scoring)",
        WANTED,
    ),
    _in(
        "ui/howmuch/wanted",
        "Only the methods' own rows count towards the bound",
        "rows = questions * arms",
        "rows = questions * (arms - 1)",
        WANTED,
    ),
    _in(
        "ui/howmuch/outcome",
        "Methods are compared on different questions while a run goes on",
        "for one in whole or ids for key",
        "for one in ids for key",
        RESULTS,
    ),
    _in(
        "ui/howmuch/screens",
        "A model that was let go stays in memory for a run",
        "let_go = let_go or not shelf.holds(name)",
        "let_go = False",
        RUNNING,
    ),
    _in(
        "ui/howmuch/changed",
        "Won questions are listed as lost",
        "lost, won = outcome.results.changed(group)",
        "won, lost = outcome.results.changed(group)",
        RESULTS,
    ),
    _in(
        "ui/howmuch/changed",
        "A budget of compute is opened as a keep ratio",
        "kept = 100 * (method.keep_ratio or 1.0)",
        "kept = 100 * group.arm.budget.share",
        RESULTS,
    ),
)
