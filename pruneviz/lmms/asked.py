"""What lmms-eval wants to know, as questions about pictures; what cannot be asked is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from pruneviz.engine import picture_key, read_image, tidied
from pruneviz.errors import InputError
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.pictures import Picture
from pruneviz.evaluation.scoring import AGREEMENT, Truth
from pruneviz.lmms.chosen import whole

LONGEST = 128
"""Answer tokens where a task does not say how many."""
GREEDY: Mapping[str, tuple[Any, ...]] = {
    "do_sample": (False, None),
    "temperature": (0, None),
    "num_beams": (1, None),
}
"""Generation arguments that decide which answer is generated, and what they may be here."""


class FetchedPicture(Picture):
    """A picture that is taken from a dataset whenever it is needed.

    Parameters
    ----------
    fetch : callable
        Gives it.
    label : str
        Task and document.
    digest : str
        That of its pixels, see :func:`~pruneviz.engine.images.picture_key`.
    """

    def __init__(self, fetch: Callable[[], Any], label: str, digest: str) -> None:
        self._fetch, self.label, self._digest = fetch, label, digest

    def read(self) -> Image.Image:
        """As the dataset decodes it, upright RGB."""
        return read_image(self._fetch())

    def digest(self) -> str:
        """That of its pixels."""
        return self._digest


@dataclass(frozen=True, eq=False)
class Asked:
    """One request.

    Attributes
    ----------
    case : Case
        The question; what is right only the task knows.
    task : str
        Its name.
    max_new_tokens : int
        Longest answer.
    stops : tuple of str
        Where an answer is cut off.
    """

    case: Case
    task: str
    max_new_tokens: int
    stops: tuple[str, ...]

    def cut(self, answer: str) -> str:
        """An answer up to the first stop."""
        for stop in self.stops:
            answer = answer.split(stop)[0]
        return answer.strip()


def asked_of(request: Any, documents: Mapping[str, Any], longest: int) -> Asked:
    """What a ``generate_until`` request asks.

    Parameters
    ----------
    request : lmms_eval.api.instance.Instance
        With ``(context, doc_to_messages, generation arguments, document, task, split)``.
    documents : mapping
        Documents by task, split and number.
    longest : int
        Answer tokens where the task does not say how many.

    Raises
    ------
    InputError
        If it is no single question about a single image, or not to be answered greedily.
    """
    _, to_messages, settings, number, task, split = request.args
    name = f"{task} {number}"

    def messages() -> Sequence[Mapping[str, Any]]:
        given: Sequence[Mapping[str, Any]] = to_messages(documents[task][split][number])
        return given

    made = messages()
    question = _question(made, task)
    _check_greedy(settings, task)
    digest = picture_key(read_image(_image(made)))  # decoded once for words and digest
    picture = FetchedPicture(lambda: _image(messages()), name, digest)
    case = Case(name, picture, question, Truth(), task, AGREEMENT)
    wanted = settings.get("max_new_tokens") or settings.get("max_gen_toks") or longest
    most = whole(wanted, f"max_new_tokens of the task {task!r}")
    return Asked(case, task, most, tuple(_stops(settings.get("until"))))


def _question(messages: Sequence[Mapping[str, Any]], task: str) -> str:
    """The words of the only message, which must be about one image."""
    parts = _parts(messages)
    kinds = [part["type"] for part in parts if part["type"] != "text"]
    roles = [message["role"] for message in messages]
    if roles != ["user"] or kinds != ["image"]:
        told = ", ".join(kinds) or "no image"
        several = f" in {len(roles)} messages" if len(roles) != 1 else ""
        raise InputError(
            f"The task {task!r} asks about {told}{several}, and pruneviz answers questions about "
            "one image each. Leave the task out."
        )
    return tidied("\n".join(part["text"] for part in parts if part["type"] == "text"))


def _image(messages: Sequence[Mapping[str, Any]]) -> Any:
    """The only image of messages that `_question` let pass."""
    return next(part["url"] for part in _parts(messages) if part["type"] == "image")


def _parts(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All that messages hold, in their order."""
    contents = [message["content"] for message in messages]
    plain = ([{"type": "text", "text": c}] if isinstance(c, str) else c for c in contents)
    return [part for content in plain for part in content]


def _check_greedy(settings: Mapping[str, Any], task: str) -> None:
    for name, allowed in GREEDY.items():
        value = settings.get(name)
        sampled = name != "temperature" or settings.get("do_sample") is not False
        if value not in allowed and sampled:
            raise InputError(
                f"The task {task!r} wants {name}={value}, and pruneviz answers greedily, so that a "
                "method's answers can be set against the unpruned ones. Add "
                "--gen_kwargs do_sample=False,temperature=0,num_beams=1."
            )


def _stops(until: Any) -> list[str]:
    given = [until] if isinstance(until, str) else until or []
    return [stop for stop in given if stop]
