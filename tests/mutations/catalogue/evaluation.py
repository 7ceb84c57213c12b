"""Errors in the evidence: each would make a claim of how much can be pruned mean something else."""

from __future__ import annotations

from tests.mutations.runner import Mutation

INTERVALS = "tests/evaluation/test_intervals.py"
STATISTICS = "tests/evaluation/test_statistics.py"
RECOMMENDING = "tests/evaluation/test_recommending.py"
SCORING = "tests/evaluation/test_scoring.py"
DATA = "tests/evaluation/test_data.py"
LOG = "tests/evaluation/test_log.py"
PLAN = "tests/evaluation/test_plan.py"
RUNNER = "tests/evaluation/test_runner.py"
BATCHES = "tests/engine/test_batches.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


EVALUATION = (
    _in(
        "evaluation/intervals",
        "McNemar's test is one-sided",
        "min(1.0, 2 * tail / (1 << trials))",
        "min(1.0, tail / (1 << trials))",
        INTERVALS,
    ),
    _in(
        "evaluation/intervals",
        "Few questions without disagreement are certain",
        "one, other, size = lost + 0.5, won + 0.5, total + 2",
        "one, other, size = lost, won, total",
        INTERVALS,
    ),
    _in(
        "evaluation/intervals",
        "The best of several p-values is taken",
        "return min(1.0, 2 * sum(values) / len(values))",
        "return min(values)",
        INTERVALS,
    ),
    _in(
        "evaluation/normalise",
        "Decimal points are dropped",
        r'_PERIOD = re.compile(r"\.(?!\d)")',
        r'_PERIOD = re.compile(r"\.")',
        SCORING,
    ),
    _in(
        "evaluation/scoring",
        "Contains looks inside of words",
        'any(f" {one} " in said for one in found if one)',
        "any(one in said for one in found if one)",
        SCORING,
    ),
    _in(
        "evaluation/files",
        "Pictures outside of the folder are read",
        "if self._inside and not whole",
        "if not self._inside and not whole",
        DATA,
    ),
    _in(
        "evaluation/log",
        "A torn last line stays",
        "        file.truncate(whole)\n",
        "",
        LOG,
    ),
    _in(
        "evaluation/log",
        "Rows are not synced",
        "        os.fsync(self._file.fileno())\n",
        "",
        LOG,
    ),
    _in(
        "evaluation/plan",
        "Rows of another model pass for these",
        'f"{key}\\n{arm}\\n{how}"',
        'f"{key}\\n{arm}"',
        PLAN,
    ),
    _in(
        "evaluation/plan",
        "Repeated questions share a row",
        "            seen[key] += 1\n",
        "",
        PLAN,
    ),
    _in(
        "evaluation/runner",
        "Agreement is scored against the row itself",
        'key = self._unpruned[row["id"]]',
        'key = row["id"]',
        RUNNER,
    ),
    _in(
        "evaluation/statistics",
        "The seeds of a control count as questions",
        "accuracy=Share.of(group.score),",
        "accuracy=Share.of(group.right.ravel()),",
        STATISTICS,
    ),
    _in(
        "evaluation/statistics",
        "Hard questions are those that downsampling answers",
        "hard = coarse.score == 0",
        "hard = coarse.score == 1",
        STATISTICS,
    ),
    _in(
        "evaluation/recommending",
        "Luck below a bad budget is taken",
        "return len(within) if within.all() else int(within.argmin())",
        "return int(np.flatnonzero(within)[-1] + 1) if within.any() else 0",
        RECOMMENDING,
    ),
    _in(
        "evaluation/recommending",
        "A loss within the tolerance is sure whatever its interval",
        "return self.loss_high <= self.tolerance",
        "return self.loss <= self.tolerance",
        RECOMMENDING,
    ),
    _in(
        "engine/batches",
        "A row of a batch goes on behind its end",
        "return list(tokens[: last + 1])",
        "return list(tokens)",
        BATCHES,
    ),
    _in(
        "engine/batches",
        "Layers before the first cut are computed for every method",
        "            self._prefix = sharing.prefix\n",
        "            pass\n",
        BATCHES,
    ),
)
