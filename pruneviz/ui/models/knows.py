"""What the model in use knows and does not, in plain words."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pruneviz.engine import Shelf, turns
from pruneviz.models.core.fetching import Progress
from pruneviz.models.core.knowledge import Knowledge
from pruneviz.models.core.loading import EMBEDDED, LoadedModel
from pruneviz.ui.shared.costs import size
from pruneviz.ui.shared.texts import OTHER_KNOWS, TASTE_OF_KINDS, UNKNOWN_LIMITS

EVERY = 1.0
"""Seconds between two lines on a download."""
PHOTOGRAPH_MODELS = (
    ("HuggingFaceTB/SmolVLM-256M-Instruct", "SmolVLM 256M", "about 0.5 GB"),
    ("HuggingFaceTB/SmolVLM-500M-Instruct", "SmolVLM 500M", "about 1 GB"),
    ("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL 3B", "about 7.5 GB"),
    ("llava-hf/llava-1.5-7b-hf", "LLaVA-1.5 7B", "about 14 GB"),
)
"""Hub ids, names, and what the weights take in 16 bits."""

LARGER = "For real pictures, start the app with --model and a larger one."
LARGER_HERE = "For real pictures, choose another model below."
LARGER_TYPED = "For real pictures, choose a larger one below, such as llava-hf/llava-1.5-7b-hf."
_BUILT_IN = (
    "The built-in model is tiny and was trained on nothing but composed scenes of about seventy "
    "drawn everyday things (animals, food, vehicles, instruments, plants, clothes, tools, toys) "
    "and of cards with a word or digit. It is here so that every method runs on any machine in a "
    "second."
)
_LIMITS = (
    "It does not know photographs, people, free text or general knowledge, and answers such "
    "questions wrongly. A warning stands by photographs, words and forms of questions that it was "
    "not taught and most things that it does not know, but not by everything it cannot know."
)


def title(name: str) -> str:
    """What the page calls a model: a folder by its last part."""
    if name == EMBEDDED:
        return "Built-in model"
    return os.path.basename(name.rstrip("/")) or name if os.path.isdir(name) else name


def fetching(shelf: Shelf, name: str) -> Iterator[str]:
    """Bring a model's files here, and say every second how far that is; nothing is loaded."""
    said = 0.0
    for progress in shelf.fetching(name):
        turns.check()
        if progress.seconds - said >= EVERY or progress.seconds < said:
            said = progress.seconds
            yield fetching_line(name, progress)


def fetching_line(name: str, progress: Progress) -> str:
    """How far a download is."""
    seconds = f"{progress.seconds:.0f} s"
    if not progress.done and not progress.total:
        return f"Looking for {title(name)} … {seconds}"
    whole = f" of {size(progress.total)}" if progress.total else ""
    return f"Downloading {title(name)}: {size(progress.done)}{whole} … {seconds}"


def facts(loaded: LoadedModel) -> str:
    """Size, depth, dtype, device and memory in a line."""
    model = loaded.model
    count = model.num_parameters() / 1e6
    shown = f"{count:.1f} million" if count < 1000 else f"{count / 1000:.1f} billion"
    kind = str(model.dtype).removeprefix("torch.")
    return (
        f"{shown} parameters, {loaded.num_layers} decoder layers, {kind} on {model.device}, "
        f"{size(model.get_memory_footprint())} of weights"
    )


def about_model(loaded: LoadedModel, larger: str = LARGER) -> str:
    """Say what the model knows; where that was measured, also how well.

    `larger` says how to come by a model for real pictures.
    """
    claims = _claims(loaded.knowledge)
    if loaded.name == EMBEDDED:
        return " ".join(filter(None, (_BUILT_IN, claims, _LIMITS, larger)))
    return f"{OTHER_KNOWS} {claims or UNKNOWN_LIMITS}"


def _claims(knowledge: Knowledge | None) -> str:
    if knowledge is None or not knowledge.claims:
        return ""
    good = [TASTE_OF_KINDS[kind] for kind in knowledge.claims]
    text = f"Of new scenes it answers over 95 % of these questions rightly: {'; '.join(good)}."
    weak = [
        f"{TASTE_OF_KINDS[kind]} ({_shares(knowledge, kind)})"
        for kind in knowledge.accuracy
        if kind not in knowledge.claims
    ]
    return text + (f" Of what else it was taught it is less sure: {'; '.join(weak)}." * bool(weak))


def _shares(knowledge: Knowledge, kind: str) -> str:
    """Both shares that a claim depends on."""
    trained = f"{int(100 * knowledge.accuracy[kind])} %"
    if kind not in knowledge.novel:
        return trained
    return f"{trained} in trained wordings, {int(100 * knowledge.novel[kind])} % in others"
