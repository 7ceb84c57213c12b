"""What the model in use knows and does not, in plain words."""

from __future__ import annotations

from pruneviz.models.knowledge import Knowledge
from pruneviz.models.loading import EMBEDDED, LoadedModel
from pruneviz.ui.texts import OTHER_KNOWS, TASTE_OF_KINDS

LARGER = "For real pictures, start the app with --model and a LLaVA-1.5 model."
_BUILT_IN = (
    "The built-in model is tiny and was trained on nothing but composed scenes of about seventy "
    "drawn everyday things (animals, food, vehicles, instruments, plants, clothes, tools, toys) "
    "and of cards with a word or digit. It is here so that every method runs on any machine in a "
    "second."
)
_LIMITS = (
    "It does not know photographs, people, free text or general knowledge, and answers such "
    "questions wrongly."
)


def about_model(loaded: LoadedModel) -> str:
    """Say what the model knows; of the built-in one also how well, as it was measured."""
    if loaded.name != EMBEDDED:
        return OTHER_KNOWS
    return " ".join(filter(None, (_BUILT_IN, _claims(loaded.knowledge), _LIMITS, LARGER)))


def _claims(knowledge: Knowledge | None) -> str:
    if knowledge is None or not knowledge.claims:
        return ""
    good = [TASTE_OF_KINDS[kind] for kind in knowledge.claims]
    text = f"Of new scenes it answers over 95 % of these questions rightly: {'; '.join(good)}."
    weak = [
        f"{TASTE_OF_KINDS[kind]} ({100 * share:.0f} %)"
        for kind, share in knowledge.accuracy.items()
        if kind not in knowledge.claims
    ]
    return text + (
        f" It was taught more, but is often wrong there: {'; '.join(weak)}." * bool(weak)
    )
