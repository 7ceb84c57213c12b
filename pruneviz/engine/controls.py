"""What an answer is worth beside chance: no image at all, and random patches."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from pruneviz.engine.answers import finite, text_of
from pruneviz.engine.guessing import guess
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Comparison, Settings
from pruneviz.engine.session import Session
from pruneviz.errors import InputError
from pruneviz.methods.random_subset import Random
from pruneviz.metrics import Fidelity, mean_logprob

SEEDS = tuple(range(10))


@dataclass(frozen=True)
class Blind:
    """The answer to the question without any image.

    Attributes
    ----------
    text : str
        The answer.
    token_ids : tuple of int
        Its tokens.
    same : bool
        Whether it is the unpruned model's, token for token: then the picture is not needed.
    answer_logprob : float
        Mean log-probability per token of the unpruned model's answer, in nats.
    """

    text: str
    token_ids: tuple[int, ...]
    same: bool
    answer_logprob: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "token_ids": list(self.token_ids)}


@dataclass(frozen=True)
class Draw:
    """One random choice: its seed, its answer, and what :class:`Blind` tells of it as well."""

    seed: int
    text: str
    same: bool
    answer_logprob: float


@dataclass(frozen=True)
class Band:
    """What random choices of so many visual tokens give.

    Attributes
    ----------
    kept : int
        Visual tokens of each.
    draws : tuple of Draw
        In the order of their seeds; at least one.
    """

    kept: int
    draws: tuple[Draw, ...]

    @property
    def same(self) -> int:
        """Draws that give the unpruned model's answer."""
        return sum(draw.same for draw in self.draws)

    @property
    def share(self) -> float:
        """The same as a share of all."""
        return self.same / len(self.draws)

    @property
    def mean(self) -> float:
        """Mean over the draws of the answer's mean log-probability per token, in nats."""
        return float(np.mean([draw.answer_logprob for draw in self.draws]))

    @property
    def low(self) -> float:
        """The smallest of them."""
        return min(draw.answer_logprob for draw in self.draws)

    @property
    def high(self) -> float:
        """The largest."""
        return max(draw.answer_logprob for draw in self.draws)

    def place(self, fidelity: Fidelity) -> Literal["below", "inside", "above"]:
        """Where a method's answer log-probability lies: in the range of the draws or outside."""
        value = fidelity.answer_logprob
        return "above" if value > self.high else "below" if value < self.low else "inside"

    def better_than_chance(self, fidelity: Fidelity) -> bool:
        """Whether a method does better than every draw, at something that chance can fail at.

        Its answer log-probability is above the range, and not every draw gives the answer too.
        """
        return self.place(fidelity) == "above" and self.same < len(self.draws)

    def sentence(self, fidelity: Fidelity, title: str) -> str:
        """Whether a method's result is better than chance, with the numbers that say so."""
        draws = f"{self.same} of {len(self.draws)} random draws of {self.kept} patches"
        mean = f"mean log-probability {self.mean:.3g} nats ({self.low:.3g} to {self.high:.3g})"
        own = f"{title} {fidelity.answer_logprob:.3g}"
        if self.better_than_chance(fidelity):
            verdict = "Better than chance here"
        elif self.place(fidelity) == "below":
            verdict = "Worse than chance here"
        else:
            verdict = "No better than chance here"
        return f"{verdict}: {draws} give the unpruned answer, {mean}; {own}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kept": self.kept,
            "draws": [asdict(draw) for draw in self.draws],
            "share": self.share,
            "mean": self.mean,
            "low": self.low,
            "high": self.high,
        }


def without_image(session: Session, prepared: Prepared, settings: Settings | None = None) -> Blind:
    """Ask the question with all of the picture's tokens removed from every layer.

    What the chat template puts around them stays; positions are counted without a gap, as if no
    picture had ever been there. Remembered with the question.
    """
    how = settings or Settings(signals=False)
    key = "blind", prepared.key, how
    with session.alone():
        found: Blind | None = session.memory.get(key)
        if found is None:
            found = _asked_blind(session, prepared, how)
            session.memory.put(key, found)
    return found


def _asked_blind(session: Session, prepared: Prepared, settings: Settings) -> Blind:
    loaded = session.loaded
    wanted = session.baseline(prepared, settings).token_ids
    with torch.no_grad():
        told, logits = guess(loaded, blinded(prepared), settings, wanted, threading.Event())
    values = finite(loaded, logits, "without an image")
    return Blind(
        text_of(loaded, told.tokens),
        told.tokens,
        told.tokens == wanted,
        mean_logprob(values, wanted),
    )


def blinded(prepared: Prepared) -> Prepared:
    """The question alone: the prompt's embeddings without those of the picture."""
    text = ~prepared.visual_mask[0]
    given = prepared.inputs
    inputs = {
        "inputs_embeds": given["inputs_embeds"][:, text],
        "attention_mask": given["attention_mask"][:, text],
    }
    if "position_ids" in given:
        places = torch.arange(int(text.sum()), device=text.device)
        inputs["position_ids"] = places.expand(*given["position_ids"].shape[:-1], -1)
    ids, mask = prepared.input_ids[:, text], prepared.visual_mask[:, text]
    return replace(
        prepared, input_ids=ids, visual_mask=mask, inputs=inputs, vision=None, further=()
    )


def random_band(
    session: Session,
    prepared: Prepared,
    kept: int,
    seeds: Sequence[int] = SEEDS,
    settings: Settings | None = None,
) -> Generator[Band]:
    """Ask with random patches in place of chosen ones; yields the band after every draw.

    Closing the generator stops; the model is free for others between draws.

    Parameters
    ----------
    session, prepared
        As for a run.
    kept : int
        Visual tokens that each draw keeps from before the LLM on; :func:`final_count` tells how
        many a run kept to the end.
    seeds : sequence of int
        One draw each.
    settings : Settings, optional
        Default: no signals.

    Raises
    ------
    InputError
        If there are no seeds, or `kept` is not from 1 to all.
    """
    total = prepared.grid.num_tokens
    if not seeds:
        raise InputError("Give at least one seed.")
    if isinstance(kept, bool) or not isinstance(kept, int) or not 1 <= kept <= total:
        raise InputError(f"Random draws keep from 1 to {total} patches, not {kept!r}.")
    how = settings or Settings(signals=False)
    draws: list[Draw] = []
    for seed in seeds:
        running = session.ask(prepared, Random(keep_tokens=kept, seed=seed), how, streamed=False)
        with closing(running) as events:
            for event in events:
                if event.comparison is not None:
                    draws.append(_draw(seed, event.comparison))
                    yield Band(kept, tuple(draws))


def final_count(done: Comparison) -> int:
    """Visual tokens that a run had left after its last stage, those that stand for none included.

    A method that prunes inside the LLM saw more of them before: random draws of as many spend
    less.
    """
    return done.pruned.trace.tokens_per_layer[-1]


def _draw(seed: int, done: Comparison) -> Draw:
    if done.fidelity is None:
        raise RuntimeError("The run was stopped before it could be compared.")
    found = done.fidelity
    return Draw(seed, done.pruned.text, found.exact_match, found.answer_logprob)
