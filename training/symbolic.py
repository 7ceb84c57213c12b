"""Second stage: the decoder learns to answer from symbols, before it sees any picture.

A patch is shown as the embedding of the *word* for what it holds plus a projected 2-D
position. Words and visual symbols share one table, which makes it easy to match a named
object with its patches; a step is cheap because few patches are shown at first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaModel

from pruneviz.scenes.questions import KINDS
from pruneviz.scenes.vocabulary import CARD, CARD_TEXTS, CLASSES, COLOURS
from training.answering import answer_loss, by_kind
from training.architecture import text_config
from training.lessons import Lesson, Lessons, Plan, stream
from training.loop import Figures, run_stage
from training.positions import WIDTH, position_waves
from training.settings import Settings
from training.tokenizer import build_tokenizer, token_id

FIRST_SEED = 200_000_000


def special_ids() -> dict[str, int]:
    """Return the special token ids that a configuration names."""
    tokenizer = build_tokenizer()
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


class SymbolicModel(nn.Module):
    """The decoder with its symbolic eyes."""

    kind_ids: Tensor
    text_ids: Tensor
    colour_ids: Tensor

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        sizes = settings.model
        config = text_config(sizes, len(build_tokenizer()), special_ids())
        self.decoder = LlamaModel(config)
        self.position = nn.Linear(WIDTH, sizes.text_width)
        self.centre = nn.Parameter(torch.randn(sizes.text_width) * sizes.init_std)
        nn.init.normal_(self.position.weight, std=sizes.init_std / 3)
        kinds = ["background", *(entry.name for entry in CLASSES), CARD]
        self.register_buffer("kind_ids", torch.tensor([token_id(k) for k in kinds]))
        self.register_buffer("text_ids", torch.tensor([0, *map(token_id, CARD_TEXTS)]))
        self.register_buffer("colour_ids", torch.tensor([0, *map(token_id, COLOURS)]))
        self.register_buffer("waves", position_waves(), persistent=False)
        self._start_alike()

    def _start_alike(self) -> None:
        """Give plurals and synonyms the first value of the word that they stand for."""
        words = self.decoder.embed_tokens.weight
        with torch.no_grad():
            for entry in CLASSES:
                source = words[token_id(entry.name)]
                for other in (entry.plural, *entry.synonyms):
                    if other != entry.name:
                        # Not equal: answers must tell "cat" from "cats".
                        words[token_id(other)] = 0.8 * source + 0.6 * words[token_id(other)]

    def fix_symbols(self) -> None:
        """Train the layers only from now on, so that a projector can aim at the symbols."""
        for part in (self.decoder.embed_tokens, self.position):
            part.requires_grad_(False)
        self.centre.requires_grad_(False)

    def embed(self, labels: dict[str, Tensor]) -> Tensor:
        """Embed patches symbolically.

        Parameters
        ----------
        labels : dict of str to Tensor
            See :func:`training.pictures.stack_labels`; shape (batch, 256).

        Returns
        -------
        Tensor, float32, shape (batch, 256, width)
            What the projector must learn to give.
        """
        words = self.decoder.embed_tokens.weight
        out = words[self.kind_ids[labels["kind"]]]
        for field, ids in (("text", self.text_ids), ("colour", self.colour_ids)):
            present = (labels[field] > 0).unsqueeze(-1)
            out = out + present * words[ids[labels[field]]]
        out = out + labels["centre"].unsqueeze(-1) * self.centre
        return out + self.position(self.waves)


def choose_patches(labels: dict[str, Tensor], count: int, rng: np.random.Generator) -> Tensor:
    """Choose patches to show: all centres, then others at random, in raster order.

    Parameters
    ----------
    labels : dict of str to Tensor
        Shape (batch, 256).
    count : int
        How many; at least the largest number of things.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Tensor, int64, shape (batch, count)
        Sorted indices.
    """
    centre = labels["centre"].numpy()
    order = np.argsort(rng.random(centre.shape) - centre, axis=1)[:, :count]
    return torch.from_numpy(np.sort(order, axis=1))


def mistake(labels: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
    """Return labels with a tenth of the things' patches mistaken for others."""
    wrong = torch.from_numpy(rng.random(labels["kind"].shape) < 0.1) & (labels["kind"] > 0)
    others = torch.from_numpy(rng.integers(0, len(CLASSES) + 1, labels["kind"].shape))
    none = torch.zeros_like(others)
    mistaken = {
        "kind": torch.where(wrong, others, labels["kind"]),
        "text": torch.where(wrong, none, labels["text"]),
        "colour": torch.where(wrong, none, labels["colour"]),
    }
    return {**labels, **mistaken}


def symbolic_loss(
    model: SymbolicModel, lesson: Lesson, tokens: int, noisy: bool = False
) -> tuple[Tensor, Figures]:
    """Ask about symbolic scenes.

    Parameters
    ----------
    model : SymbolicModel
        Decoder and symbols.
    lesson : Lesson
        Labels and questions.
    tokens : int
        Visual tokens shown of every scene.
    noisy : bool
        Whether some patches are mistaken and all are blurred.

    Returns
    -------
    loss : Tensor
        Mean cross entropy of the answers' tokens.
    figures : dict of str to (Tensor, Tensor)
        See :func:`training.answering.by_kind`.
    """
    device = model.centre.device
    chance = np.random.default_rng(lesson.seed)
    labels = lesson.labels
    kept = choose_patches(labels, tokens, chance)
    if noisy:
        labels = mistake(labels, chance)
    labels = {key: value.to(device) for key, value in labels.items()}
    kept = kept.to(device)
    with torch.autocast(device.type, torch.bfloat16):
        visual = model.embed(labels)
        if noisy:
            blur = torch.from_numpy(chance.standard_normal(visual.shape, dtype=np.float32))
            visual = visual + 0.3 * visual.detach().std() * blur.to(device)
        index = kept.unsqueeze(-1).expand(-1, -1, visual.shape[-1])
        loss, right = answer_loss(model.decoder, visual.gather(1, index), kept, lesson.packed)
    return loss, by_kind(lesson.kinds, right, KINDS)


@dataclass(frozen=True)
class Curriculum(Lessons):
    """Few visual tokens first and all kinds, then more tokens and the hard kinds."""

    settings: Settings

    def tokens(self, step: int) -> tuple[int, float]:
        """Return visual tokens shown in a step, and the share of a full batch."""
        share = step / self.settings.symbolic.steps
        _, tokens, batch = [c for c in self.settings.token_curriculum if c[0] <= share][-1]
        return tokens, batch

    def plan(self, step: int) -> Plan:
        """Return what a step shows and asks."""
        stage, share = self.settings.symbolic, step / self.settings.symbolic.steps
        batch = max(1, round(stage.batch * self.tokens(step)[1]))
        hard = share >= self.settings.hard_from
        kinds = self.settings.hard_kinds if hard else self.settings.kinds
        rules, typos = self.settings.rules, self.settings.typos
        return Plan(FIRST_SEED, batch, stage.batch, rules, stage.questions, kinds, typos=typos)


def train_symbolic(
    settings: Settings, folder: Path, device: torch.device, resume: bool, until: int | None = None
) -> SymbolicModel:
    """Train the decoder on symbolic scenes.

    Parameters
    ----------
    settings : Settings
        Sizes, question kinds, curriculum and the stage's settings.
    folder : Path
        Where the checkpoint ``symbolic.pt`` lies.
    device : torch.device
        Where to compute; bfloat16 autocast is used.
    resume : bool
        Whether to go on from the checkpoint.
    until : int, optional
        Stop early after this step.

    Returns
    -------
    SymbolicModel
        The decoder and the embeddings that pictures are to be projected to.
    """
    torch.manual_seed(settings.seed + 1)
    model = SymbolicModel(settings).to(device)
    lessons = Curriculum(settings)

    def loss_at(lesson: Lesson, step: int, done: float) -> tuple[Tensor, Figures]:
        if done >= settings.fixed_symbols_from:
            model.fix_symbols()
        return symbolic_loss(model, lesson, lessons.tokens(step)[0], done >= settings.noise_from)

    run_stage(
        "symbolic",
        model,
        loss_at,
        settings.symbolic,
        lambda first: stream(lessons, first, settings),
        folder=folder,
        resume=resume,
        log_every=settings.log_every,
        save_every=settings.save_every,
        until=until,
    )
    return model
