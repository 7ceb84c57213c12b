"""Errors in the backend for lmms-eval: each would make another score pass for a method's."""

from __future__ import annotations

from tests.mutations.runner import Mutation

ASKED = "tests/lmms/test_asked.py"
CHOSEN = "tests/lmms/test_chosen.py"
JOURNAL = "tests/lmms/test_journal.py"
MERGED = "tests/lmms/test_merged.py"
PROCESSES = "tests/lmms/test_processes.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


LMMS = (
    _in(
        "engine/prepared",
        "A prompt's line breaks are lost",
        'return "\\n".join(" ".join(line.split())',
        'return " ".join(" ".join(line.split())',
        ASKED,
    ),
    _in(
        "lmms/asked",
        "A sampled answer passes for a greedy one",
        'sampled = name != "temperature" or settings.get("do_sample") is not False',
        "sampled = False",
        ASKED,
    ),
    _in(
        "lmms/asked",
        "An answer goes on behind its stop",
        "answer = answer.split(stop)[0]",
        "answer = answer.split(stop)[-1]",
        ASKED,
    ),
    _in(
        "lmms/chosen",
        "A counted budget is the method's own",
        'settings["keep_tokens"] = self.keep_tokens',
        'settings.setdefault("keep_tokens", None)',
        CHOSEN,
    ),
    _in(
        "lmms/journal",
        "Answers of another length are the same",
        "one.case.question, one.max_new_tokens) for",
        "one.case.question, 0) for",
        JOURNAL,
    ),
    _in(
        "lmms/journal",
        "What failed is not asked again",
        "return units(plan, log, retry=True)",
        "return units(plan, log)",
        JOURNAL,
    ),
    _in(
        "lmms/merged",
        "Runs on other questions are compared",
        "return own.questions == other.questions and own.asked == other.asked and prompts",
        "return own.questions == other.questions",
        MERGED,
    ),
    _in(
        "lmms/merged",
        "Questions lost are those won",
        "sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)",
        "sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)",
        MERGED,
    ),
    _in(
        "lmms/merged",
        "A trial hides a whole run",
        "return scores.questions, scores.date",
        "return 0, scores.date",
        MERGED,
    ),
    _in(
        "lmms/processes",
        "Costs are those of the first process",
        "whole.rows.setdefault(task, []).extend(rows)",
        "whole.rows.setdefault(task, rows)",
        PROCESSES,
    ),
    _in(
        "lmms/spent",
        "Costs of a task are those of all",
        'found |= _means(own, f"{task}/")',
        'found |= _means(every, f"{task}/")',
        JOURNAL,
    ),
)
