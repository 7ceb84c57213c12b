"""The backend: loads a model, prunes it, and answers what lmms-eval asks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.models.model_utils.gen_metrics import log_metrics
from loguru import logger
from tqdm import tqdm

from pruneviz.engine import Session, Settings
from pruneviz.errors import PruneVizError, PruningError
from pruneviz.evaluation.asking import MOST, Asker
from pruneviz.evaluation.identity import how_of
from pruneviz.evaluation.log import Log, Row
from pruneviz.evaluation.plan import UNPRUNED, How
from pruneviz.lmms.asked import LONGEST, asked_of
from pruneviz.lmms.chosen import choose, whole
from pruneviz.lmms.journal import Sheet, journal, left
from pruneviz.lmms.processes import COPIED, Part, together
from pruneviz.lmms.spent import costs_of
from pruneviz.models import load_model
from pruneviz.models.core.loading import EMBEDDED

ONLY_WORDS = (
    "pruneviz generates answers and computes no log-likelihoods of given ones: a pruned prompt is "
    "there to be answered. Choose the task's variant with output_type: generate_until."
)
ONE_ROUND = "pruneviz answers one question about one image; tasks of several rounds are not run."


class PruneVizModel(lmms):
    """Any supported model under any method, as a chat backend of lmms-eval.

    Parameters
    ----------
    pretrained : str
        ``"embedded"``, a hub id or a folder.
    method : str
        Registry name; ``"none"`` is the unpruned model.
    batch_size : int or str
        Questions of one shape asked at once, at most.
    device : str, optional
        As of :func:`pruneviz.load_model`; several processes take a card each.
    dtype, quantisation
        As of :func:`pruneviz.load_model`.
    newlines, positions
        As of :func:`pruneviz.prune`.
    max_new_tokens : int
        Longest answer where a task does not say.
    journal : str
        Folder for answers: each is on the disk before the next is asked for.
    max_batch_size
        Ignored; lmms-eval hands it on.
    **settings
        Budget and fields of the method, see :func:`~pruneviz.lmms.chosen.choose`.

    Raises
    ------
    InputError, ModelLoadError, UnsupportedModelError
        On arguments that fit nothing.
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str = EMBEDDED,
        method: str = UNPRUNED,
        batch_size: int | str = 1,
        device: str | None = None,
        dtype: str = "auto",
        quantisation: str | None = None,
        newlines: str = "visual",
        positions: str | None = None,
        max_new_tokens: int = LONGEST,
        journal: str = "pruneviz-lmms",
        max_batch_size: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self._chosen = choose(method, **settings)
        self._most = whole(batch_size, "--batch_size", auto=MOST)
        self._longest = whole(max_new_tokens, "max_new_tokens in --model_args")
        self._folder = Path(str(journal))  # lmms-eval makes numbers of names where it can
        loaded = load_model(str(pretrained), _own_device(device or "auto"), dtype, quantisation)
        self._session = Session(loaded, newlines, positions)
        self._part = Part()

    @property
    def device(self) -> torch.device:
        """Where the model is; lmms-eval counts on it where several processes run."""
        found: torch.device = self._session.loaded.model.device
        return found

    def loglikelihood(self, requests: Sequence[Any]) -> Any:
        """Refused: raises NotImplementedError with the reason."""
        raise NotImplementedError(ONLY_WORDS)

    def generate_until_multi_round(self, requests: Sequence[Any]) -> Any:
        """Refused: raises NotImplementedError with the reason."""
        raise NotImplementedError(ONE_ROUND)

    def generate_until(self, requests: Sequence[Any]) -> list[GenerationResult]:
        """Greedy answers, in the requests' order.

        What the journal holds is not asked again, and what several tasks ask alike is asked once.

        Raises
        ------
        InputError
            Before anything is asked, if a request is no question about one image.
        PruningError
            After everything else is answered, if a question could not be.
        SystemExit
            In place of both where several processes run: the launcher then ends the others.
        """
        try:
            return self._generated(requests)
        except PruneVizError as error:
            if self.world_size > 1:
                # lmms-eval would end this process with exit code 0, and the others would wait.
                sys.exit(str(error))
            raise

    def _generated(self, requests: Sequence[Any]) -> list[GenerationResult]:
        asked = [asked_of(one, self.task_dict, self._longest) for one in requests]
        sheet = Sheet(asked, self._chosen, self._how)
        start = time.perf_counter()
        with journal(self._folder, sheet.name, self.rank) as log:
            fresh = self._answer(sheet, log)
            rows = [log.rows[key] for key in sheet.keys]
        own = [
            (one.task, row)
            for one, row, request in zip(asked, rows, requests, strict=True)
            if not (request.metadata or {}).get(COPIED)
        ]
        self._part.add(own, fresh, time.perf_counter() - start)
        return [
            GenerationResult(one.cut(row["answer"]), TokenCounts(row["prompt"], row["generated"]))
            for one, row in zip(asked, rows, strict=True)
        ]

    def clean(self) -> None:
        """Put what the answers cost into lmms-eval's results; called in every process at the end.

        Times and speed are of what was asked now.
        """
        whole = together(self._part)
        if whole.rows:
            log_metrics(
                total_elapsed_time=whole.seconds,
                total_gen_tokens=whole.tokens,
                avg_speed=whole.tokens / whole.seconds,
                additional_metrics=costs_of(whole.rows),
            )
        super().clean()

    def _how(self, max_new_tokens: int) -> How:
        return how_of(self._session, Settings(max_new_tokens, signals=False))

    def _answer(self, sheet: Sheet, log: Log) -> list[Row]:
        """Ask what the journal does not hold; the rows that were made."""
        made: list[Row] = []
        total = sum(map(len, sheet.plans))
        missing = [(plan, list(left(plan, log))) for plan in sheet.plans]
        there = total - sum(len(unit) for _, units in missing for unit in units)
        if there:
            logger.info("{:,} of {:,} answers are in the journal.", there, total)
        with tqdm(
            total=total, initial=there, desc=self._chosen.title, disable=self.rank > 0
        ) as bar:
            for plan, units in missing:
                settings = Settings(plan.how.max_new_tokens, signals=False)
                asker = Asker(self._session, settings, self._most)
                for unit in units:
                    for rows in asker.ask(unit):
                        log.add(rows)
                        made += rows
                        bar.update(len(rows))
        failed = [row for row in made if row["error"]]
        if failed:
            raise PruningError(
                f"{len(failed):,} of {total:,} questions have no answer, so there is no score. "
                f"The others are in the journal. The first ({failed[0]['item']}): "
                f"{failed[0]['error']}"
            )
        return made


def _own_device(device: str) -> str:
    """The card of this process, where several run and each is to have its own."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if several and device in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return device
