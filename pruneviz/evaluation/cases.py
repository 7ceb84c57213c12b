"""What is asked in an evaluation: a question about a picture, and what is known of its answer."""

from __future__ import annotations

from dataclasses import dataclass

from pruneviz.evaluation.pictures import Picture
from pruneviz.evaluation.scoring import Truth


@dataclass(frozen=True)
class Case:
    """A question about a picture.

    Attributes
    ----------
    name : str
        What tables call it: its own id, or a number.
    picture : Picture
        Opened when it is asked about.
    question : str
        As asked, without needless spaces.
    truth : Truth
        Accepted answers and choices.
    kind : str
        Which slice it belongs to; empty where there is none.
    rule : str
        How it is scored, as :func:`~pruneviz.evaluation.scoring.rule_for` tells.
    """

    name: str
    picture: Picture
    question: str
    truth: Truth
    kind: str
    rule: str
