"""Ask a model questions under methods: tasks in, rows out. Knows no log, so it can run anywhere."""

from __future__ import annotations

import math
import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from pruneviz.engine import Answer, Prepared, Session, Settings
from pruneviz.engine.batches import Batch, questions_at_once, shape_of
from pruneviz.engine.memory import size_of
from pruneviz.errors import PruneVizError, told
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.plan import Arm, Task
from pruneviz.methods import Method

MOST = 32
"""Questions in a batch at most."""
FAILURES = (
    PruneVizError,
    ValueError,
    RuntimeError,
    TypeError,
    LookupError,
    ArithmeticError,
    OSError,
    MemoryError,
)
"""What makes a row one with an error instead of ending the run; torch's own are RuntimeErrors."""


MADE = (
    "answer",
    "generated",
    "prompt",
    "visual",
    "tokens",
    "layer_average",
    "flops",
    "paper_tflops",
    "kv_bytes",
)
"""Fields of a row that an answer fills."""


class StoppedError(Exception):
    """The run was to stop before an answer was whole."""


@dataclass(frozen=True, eq=False)
class _Ready:
    """A task whose picture is encoded."""

    task: Task
    prepared: Prepared


class Asker:
    """Answers tasks on one model.

    Parameters
    ----------
    session : Session
        Whose model answers.
    settings : Settings
        How answers are generated.
    most : int
        Questions in a batch at most; 1 asks one by one, with the rounding of single questions.
    stop : threading.Event, optional
        Set it to end :meth:`ask` before the next batch; answers on their way are thrown away.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        most: int = MOST,
        stop: threading.Event | None = None,
    ) -> None:
        self._session, self._most = session, most
        self._settings = settings
        self.stop = stop or threading.Event()

    def ask(self, tasks: Sequence[Task]) -> Iterator[list[Row]]:
        """Rows of all arms of the tasks, as they are made: some at a time, those of a batch.

        The image of questions that follow one another is encoded once, the unpruned run is made
        once a question, and what methods have in common with it is shared; a single method is
        asked without it. Questions whose prompts have one shape are asked together. A row that
        failed has an ``error``.
        """
        groups: dict[Hashable, list[_Ready]] = {}
        held = 0
        for number, task in enumerate(tasks):
            if self.stop.is_set():
                return
            try:
                image = task.case.picture.read()
                prepared = self._session.prepare(image, task.case.question)
            except FAILURES as error:
                yield [failed(task, arm, error) for arm in task.arms]
                continue
            shape = shape_of(prepared)
            alone = number if shape is None else None
            groups.setdefault((shape, alone, task.arms), []).append(_Ready(task, prepared))
            held += size_of(prepared)
            if held > self._session.memory.limit // 2:
                yield from self._ask_groups(groups.values())
                groups, held = {}, 0
        yield from self._ask_groups(groups.values())

    def _ask_groups(self, groups: Iterable[Sequence[_Ready]]) -> Iterator[list[Row]]:
        """Questions of one shape each, in batches of about one size."""
        for group in groups:
            most = questions_at_once(self._session, self._most, group[0].prepared)
            # Of 33 questions rather 17 and 16 than 32 and 1.
            size = math.ceil(len(group) / math.ceil(len(group) / most))
            for start in range(0, len(group), size):
                if self.stop.is_set():
                    return
                yield from self._ask_group(group[start : start + size])

    def _ask_group(self, group: Sequence[_Ready]) -> Iterator[list[Row]]:
        arms, first = group[0].task.arms, group[0].prepared
        built: dict[Arm, Method] = {}
        for arm in arms:
            try:
                if arm.pruned:
                    built[arm] = arm.build(first.grid.num_tokens, self._session.num_layers)
            except FAILURES as error:
                yield [failed(one.task, arm, error) for one in group]
        answers = self._together if len(group) > 1 else self._alone
        asked = [arm for arm in arms if arm in built or not arm.pruned]
        try:
            yield from answers(group, asked, built)
        except StoppedError:
            return

    def _together(
        self, group: Sequence[_Ready], arms: Sequence[Arm], built: dict[Arm, Method]
    ) -> Iterator[list[Row]]:
        batch: Batch | None = None
        for arm in arms:
            try:
                with self._session.alone():
                    if batch is None:
                        questions = [one.prepared for one in group]
                        batch = Batch(self._session, questions, self._settings, self.stop)
                        if not _single(arms, built):
                            base = batch.unpruned(list(built.values()))
                    answers = base if arm not in built else batch.pruned(built[arm])
            except FAILURES:
                # One question must not spoil the others; whose it was shows alone.
                self._check()
                for one in group:
                    yield from self._alone([one], [arm], built)
                continue
            self._check()
            yield [_answered(one, arm, answer) for one, answer in zip(group, answers, strict=True)]

    def _alone(
        self, group: Sequence[_Ready], arms: Sequence[Arm], built: dict[Arm, Method]
    ) -> Iterator[list[Row]]:
        (one,) = group
        for arm in arms:
            try:
                answer = (
                    self._pruned(one.prepared, built[arm])
                    if _single(one.task.arms, built)
                    else self._answer(one.prepared, arm, built)
                )
                row = _answered(one, arm, answer)
            except FAILURES as error:
                row = failed(one.task, arm, error)
            self._check()
            yield [row]

    def _answer(self, prepared: Prepared, arm: Arm, built: dict[Arm, Method]) -> Answer:
        session, ahead = self._session, list(built.values())
        # The unpruned run is made with the first method, for that says what is worth keeping.
        method = built.get(arm) or next(iter(built.values()), None)
        if method is None:
            return session.baseline(prepared, self._settings)
        events = session.ask(prepared, method, self._settings, streamed=False, ahead=ahead)
        with closing(events):
            for event in events:
                if event.answer is not None and arm not in built:
                    return event.answer
                if event.comparison is not None:
                    return event.comparison.pruned
                if self.stop.is_set():
                    break
        raise StoppedError

    def _pruned(self, prepared: Prepared, method: Method) -> Answer:
        """An answer under a method, with no other run before it."""
        with self._session.alone():
            return Batch(self._session, [prepared], self._settings, self.stop).pruned(method)[0]

    def _check(self) -> None:
        """Nothing that was made while the run was to stop may become a row."""
        if self.stop.is_set():
            raise StoppedError


def _single(arms: Sequence[Arm], built: Mapping[Arm, Method]) -> bool:
    """Whether there is one method and no other run that could share anything with it."""
    return len(arms) == 1 and arms[0] in built


def _described(task: Task, arm: Arm) -> Row:
    case = task.case
    return {
        "id": task.ids[task.arms.index(arm)],
        "item": case.name,
        "image": case.picture.label,
        "question": case.question,
        "kind": case.kind,
        **arm.described(),
        "expected": list(case.truth.answers),
        "rule": case.rule,
    }


def _answered(one: _Ready, arm: Arm, answer: Answer) -> Row:
    cost = answer.cost
    return {
        **_described(one.task, arm),
        "answer": answer.text,
        "generated": len(answer.token_ids),
        "prompt": one.prepared.input_ids.shape[1],
        "visual": answer.trace.num_visual,
        "tokens": cost.final_tokens,
        "layer_average": cost.layer_average,
        "flops": cost.total_flops,
        "paper_tflops": cost.paper_tflops,
        "kv_bytes": cost.kv_bytes,
        "error": "",
    }


def failed(task: Task, arm: Arm, error: BaseException) -> Row:
    """The row of a method that gave no answer, for what went wrong."""
    described = _described(task, arm)
    return {**described, **dict.fromkeys(MADE), "error": told(error) or type(error).__name__}
