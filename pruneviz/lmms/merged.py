"""Several runs of lmms-eval as one table against the unpruned one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from pruneviz.errors import InputError
from pruneviz.evaluation.intervals import mcnemar
from pruneviz.lmms.results import Run, Scores, order


@dataclass(frozen=True)
class Cell:
    """A run on a task.

    Attributes
    ----------
    metric : str
        Of the score.
    score : float
        As lmms-eval computed it.
    questions : int
        How many were asked.
    share : float or None
        Of the unpruned score; None where that is not known, is zero, or is of other questions.
    lost, won : int or None
        Questions scored lower, and higher, than without pruning; None where a run logged none.
    p : float or None
        Of the exact sign test on these, which is McNemar's where questions are right or wrong.
    """

    metric: str
    score: float
    questions: int
    share: float | None = None
    lost: int | None = None
    won: int | None = None
    p: float | None = None


@dataclass(frozen=True, eq=False)
class Line:
    """A method at a budget.

    Attributes
    ----------
    run : Run
        What it is of.
    cells : dict of str to Cell
        By task.
    tokens, layer_average, flops : float or None
        Means over its tasks' questions: visual tokens after the last stage, per decoder layer,
        and true FLOPs of the prompt.
    flops_share : float or None
        FLOPs as a share of the unpruned run's, on the tasks that both have.
    mean_share : float or None
        Mean over the tasks of the share of the unpruned score, as papers report it.
    """

    run: Run
    cells: dict[str, Cell]
    tokens: float | None
    layer_average: float | None
    flops: float | None
    flops_share: float | None = None
    mean_share: float | None = None


def merge(
    runs: Iterable[Run], wanted: Mapping[str, str] | None = None
) -> tuple[list[Line], list[str]]:
    """Every method at every budget, the unpruned run of each model first.

    Parameters
    ----------
    runs : iterable of Run
        In any order. Of several of one method on one task the one with the most questions
        counts, and of these the last: no trial with ``--limit`` hides a whole run.
    wanted : mapping of str to str, optional
        The metric of a task; default: its first.

    Returns
    -------
    lines : list of Line
        One for each model, method and budget.
    problems : list of str
        What cannot be compared, a sentence each.

    Raises
    ------
    InputError
        On a metric that a task has not, or a task that no run has.
    """
    found, problems = _joined(runs)
    joined = order(found)
    metrics = _metrics(joined, wanted or {})
    lines = []
    for model in dict.fromkeys(run.model for run in joined):
        own = [run for run in joined if run.model == model]
        base = own[0] if not own[0].chosen.pruned else None
        problems += _unmatched(model, own, base)
        for run in own:
            line, told = _line(run, base, metrics)
            lines.append(line)
            problems += told
    return lines, problems


def _joined(runs: Iterable[Run]) -> tuple[list[Run], list[str]]:
    """Runs of one method and model as one, and what was left out."""
    found: dict[object, Run] = {}
    hidden = []
    for run in runs:
        whole = found.setdefault((run.model, run.chosen), replace(run, tasks={}))
        for task, scores in run.tasks.items():
            before = whole.tasks.setdefault(task, scores)
            if before is not scores:
                less, more = sorted((before, scores), key=_precedence)
                whole.tasks[task] = more
                hidden.append(f"{task} in {less.path.name}")
    told = (
        f"Asked again, or of fewer questions than another run of the same method, and left out: "
        f"{'; '.join(hidden)}."
    )
    return list(found.values()), [told] if hidden else []


def _precedence(scores: Scores) -> tuple[int, str]:
    return scores.questions, scores.date


def _unmatched(model: str, runs: Sequence[Run], base: Run | None) -> list[str]:
    """Which tasks have no unpruned run to be set against."""
    known = base.tasks if base is not None else {}
    tasks = dict.fromkeys(task for run in runs for task in run.tasks if task not in known)
    if not tasks:
        return []
    return [
        f"There is no unpruned run of {model} on {', '.join(tasks)}: score it with --model_args "
        f"{runs[0].arguments},method=none and add its results."
    ]


def _metrics(runs: Sequence[Run], wanted: Mapping[str, str]) -> dict[str, str]:
    """The metric of each task."""
    known: dict[str, dict[str, None]] = {}
    for run in runs:
        for task, scores in run.tasks.items():
            known.setdefault(task, {}).update(dict.fromkeys(scores.metrics))
    for task, name in wanted.items():
        if name not in known.get(task, {}):
            told = ", ".join(known[task]) if task in known else f"no such task; {', '.join(known)}"
            raise InputError(f"--metric {task}={name}: there is no such metric ({told}).")
    return {task: wanted.get(task, next(iter(names))) for task, names in known.items() if names}


def _line(run: Run, base: Run | None, metrics: Mapping[str, str]) -> tuple[Line, list[str]]:
    cells, problems, alike = {}, [], []
    for task, scores in run.tasks.items():
        name = metrics.get(task)
        if name is None or name not in scores.metrics:
            problems.append(f"{scores.path.name}: {task} has no score ({name or 'no metric'}).")
            continue
        other = base.tasks.get(task) if base is not None and run is not base else None
        same = other is not None and _same(scores, other)
        if other is not None and not same:
            problems.append(
                f"{run.title}: {task} was asked otherwise than without pruning (number of "
                "questions, prompts, --limit or --gen_kwargs), so they are not compared."
            )
        if _torn(scores):
            problems.append(
                f"{scores.path.name}: samples of {task} hold {len(scores.samples):,} of "
                f"{scores.questions:,} questions, so it is not counted which were lost and won."
            )
        cells[task] = _cell(name, scores, other if same else None)
        if same or run is base:
            alike.append(task)
    shares = [cell.share for cell in cells.values() if cell.share is not None]
    line = Line(
        run,
        cells,
        _mean(run, "visual_tokens_kept"),
        _mean(run, "layer_average"),
        _mean(run, "flops"),
        _flops_share(run, base, alike),
        1.0 if run is base else fmean(shares) if shares else None,
    )
    return line, problems


def _same(own: Scores, other: Scores) -> bool:
    """Whether two runs were asked the same, as far as is known."""
    prompts = all(own.samples[key].prompt == other.samples[key].prompt for key in _both(own, other))
    return own.questions == other.questions and own.asked == other.asked and prompts


def _torn(scores: Scores) -> bool:
    """Whether some questions were logged, but not all of them."""
    return 0 < len(scores.samples) < scores.questions


def _both(own: Scores, other: Scores) -> set[str]:
    return own.samples.keys() & other.samples.keys()


def _cell(metric: str, scores: Scores, other: Scores | None) -> Cell:
    cell = Cell(metric, scores.metrics[metric], scores.questions)
    if other is None or metric not in other.metrics:
        return cell
    whole = other.metrics[metric]
    cell = replace(cell, share=cell.score / whole if whole else None)
    pairs = [
        (scores.samples[key].scores[metric], other.samples[key].scores[metric])
        for key in _both(scores, other)
        if metric in scores.samples[key].scores and metric in other.samples[key].scores
    ]
    if not pairs or _torn(scores) or _torn(other):
        return cell
    lost, won = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
    return replace(cell, lost=lost, won=won, p=mcnemar(lost, won))


def _mean(run: Run, name: str, tasks: Sequence[str] | None = None) -> float | None:
    """Over all questions of the tasks that have it."""
    known = [
        (scores.costs[name], scores.questions)
        for task, scores in run.tasks.items()
        if name in scores.costs and (tasks is None or task in tasks)
    ]
    total = sum(questions for _, questions in known)
    return sum(value * questions for value, questions in known) / total if total else None


def _flops_share(run: Run, base: Run | None, tasks: Sequence[str]) -> float | None:
    own, whole = _mean(run, "flops", tasks), _mean(base, "flops", tasks) if base else None
    return own / whole if own is not None and whole else None
