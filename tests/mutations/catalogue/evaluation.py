"""Errors in the evidence: each would make a claim of how much can be pruned mean something else."""

from __future__ import annotations

from tests.mutations.runner import Mutation

INTERVALS = "tests/evaluation/test_intervals.py"
STATISTICS = "tests/evaluation/test_statistics.py"
CLUSTERING = "tests/evaluation/test_clustering.py"
RECOMMENDING = "tests/evaluation/test_recommending.py"
SCORING = "tests/evaluation/test_scoring.py"
DATA = "tests/evaluation/test_data.py"
LOG = "tests/evaluation/test_log.py"
PLAN = "tests/evaluation/test_plan.py"
RUNNER = "tests/evaluation/test_runner.py"
PARCELS = "tests/evaluation/test_parcels.py"
CLUSTER = "tests/evaluation/test_cluster.py"
CREW = "tests/evaluation/test_crew.py"
KILLED = f"{CREW}::test_workers_are_killed_and_nothing_is_lost_or_doubled"
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
        "beta_quantile(1 - tail, right + 1, wrong) if",
        "beta_quantile(1 - tail, right + 0.01, wrong) if",
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
        "evaluation/files",
        "A question counts as often as a file repeats it",
        "        if first != line:\n",
        "        if first > line:\n",
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
        "evaluation/parcels",
        "A question that ends every worker is asked for ever",
        "        if ends >= ENDS:\n            return []\n",
        "",
        PARCELS,
    ),
    _in(
        "evaluation/parcels",
        "Questions fail for what another did that was sent with them",
        "size = 1 if ends == ENDS - 1 else math.ceil(len(self.tasks) / PIECES)",
        "size = math.ceil(len(self.tasks) / PIECES)",
        PARCELS,
    ),
    _in(
        "evaluation/parcels",
        "Rows that are there are asked again",
        "if key not in there]",
        "if key]",
        PARCELS,
    ),
    _in(
        "evaluation/parcels",
        "Machines are sent the paths of pictures",
        "return BytesPicture(picture.path.read_bytes(), picture.label)",
        "return picture",
        PARCELS,
    ),
    _in(
        "evaluation/parcels",
        "Parcels hold any weight of pictures",
        "len(held) == size or weight + more > PICTURES",
        "len(held) == size",
        PARCELS,
    ),
    _in(
        "evaluation/cluster",
        "Room on different machines counts as one",
        "return min(self.cpus // cpus, by_gpu)",
        "return by_gpu if gpus else self.cpus // cpus",
        CLUSTER,
    ),
    _in(
        "evaluation/cluster",
        "A busy cluster is waited for, for ever",
        "if not group.wait(FREE):",
        "if group.wait(FREE) is None:",
        f"{CREW}::test_a_model_that_is_not_there_is_said",
    ),
    _in(
        "evaluation/cluster",
        "Ray's words go among ours",
        "    worker._worker_logs_enabled = False\n",
        "",
        KILLED,
    ),
    _in(
        "evaluation/worker",
        "Workers may hold different models",
        "one.how is not None and other.how is not None and one.how != other.how",
        "one.how is None and one.how != other.how",
        CLUSTER,
    ),
    _in(
        "evaluation/worker",
        "Workers may run other code",
        "if one.code != other.code:",
        "if one.how != other.how:",
        CLUSTER,
    ),
    _in(
        "evaluation/crew",
        "What a worker had is lost when it ends",
        "        waiting.extend(pieces)\n",
        "",
        KILLED,
    ),
    _in(
        "evaluation/crew",
        "Rows that came before a worker ended are asked again",
        '        member.there |= {row["id"] for row in rows}\n',
        "",
        KILLED,
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
        "Questions about one picture count as independent",
        "pictures = np.array(results.pictures)[known]",
        "pictures = np.arange(known.sum())",
        RECOMMENDING,
    ),
    _in(
        "evaluation/clustering",
        "Few differences pass for independent",
        "(between + whole**2) / (single + whole)",
        "between / max(single, 1e-9)",
        CLUSTERING,
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
        "evaluation/recommending",
        "A budget is sure that many resamples find too small",
        "return self.within and self.high <= self.budget",
        "return self.within",
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
