"""Small copies of official benchmarks, made of composed scenes: what is asked, and what is right.

Answers are a single word there, "yes", "no", "the" or "there", because the embedded model answers
in sentences and the benchmarks count words; every other question of GQA and TextVQA has a truth
that nobody says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pruneviz.evaluation import Case

MANY = 8
"""Questions of each benchmark."""
NOBODY = "xylophone"
ASKED = "\nAnswer the question using a single word or phrase."


def chosen_cases(cases: Sequence[Case]) -> Mapping[str, list[Case]]:
    """Which scenes each task asks about."""
    exists = [case for case in cases if case.kind == "exists"]
    others = [case for case in cases if case.kind in ("place name", "what", "count")]
    return {
        "pope": exists[:MANY],
        "mme": exists[:MANY],
        "gqa": others[:MANY],
        "textvqa_val": others[MANY : 2 * MANY],
    }


def prompt(task: str, case: Case) -> str:
    """What the task's own file makes of a question."""
    question = case.question.capitalize() if task == "textvqa_val" else case.question.strip()
    return question + ASKED


def truths(task: str, cases: Sequence[Case]) -> list[str]:
    """The right answer to each question."""
    first = [case.truth.answers[0].split()[0].strip(",") for case in cases]
    if task in ("pope", "mme"):
        return first
    return [word if number % 2 else NOBODY for number, word in enumerate(first)]
