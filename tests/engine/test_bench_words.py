"""Sentences and tables on figures that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pruneviz.engine.bench import Baseline, Group, Report, Row, Spread, verdicts
from pruneviz.engine.bench.tables import as_markdown, as_text


def base(half: float = 0.9, **changes) -> Baseline:
    figures = {"prefill": 0.03, "vision": 0.005, "per_token": 0.02, "whole": 0.4}
    figures |= {"flops": 10**12, "kv_bytes": 2**20, "peak_bytes": 0}
    return Baseline(**{**figures, "half_length": half, "half_flops": 0.5, **changes})


def row(middle: float, high: float | None = None, name: str = "FoPru", **changes) -> Row:
    around = Spread(middle - 0.1, middle, middle + 0.1 if high is None else high)
    figures = {"kept": 72, "seconds": 0.02, "flops": 0.3, "kv_bytes": 0.4, "prefill": around}
    return Row(name.lower(), name, "25 %", **{**figures, "whole": around, **changes})


def report(*groups: Group) -> Report:
    about = ("LLaVA", "H200", "sdpa", "bfloat16", "torch")
    return Report(*about, 32, 655, 576, 10, 2, 16, groups)


@pytest.mark.parametrize(
    ("half", "words"),
    [
        (1.02, "launches and other fixed costs limit"),
        (0.9, "launches and other fixed costs limit"),
        (0.67, "both launches and arithmetic"),
        (0.5, "arithmetic limits"),
        (0.4, "arithmetic limits"),
    ],
)
def test_what_limits_is_read_from_half_a_prompt(half, words) -> None:
    first = verdicts(report(Group(1, base(half), ())))[0]
    assert words in first
    assert first.startswith(f"Batch 1: the decoder takes {half:.2f} of its time")


@pytest.mark.parametrize(
    ("ratios", "sentence"),
    [
        ({1: 1.2, 4: 0.8, 8: 0.5}, "FoPru 25 % pays from batch 4 on, of 1, 4, 8: it takes 0.80"),
        # Not from 1 on: 4 did not pay.
        ({1: 0.8, 4: 1.1, 8: 0.5}, "FoPru 25 % pays from batch 8 on, of 1, 4, 8: it takes 0.50"),
        ({1: 1.2, 4: 1.1}, "FoPru 25 % does not pay at batch 1, 4: it takes 1.10"),
        ({2: 0.5}, "FoPru 25 % pays at batch 2: it takes 0.50"),
        ({1: 0.95}, "FoPru 25 % at batch 1: too close to tell, half of the rounds 0.85 to 1.05."),
    ],
)
def test_from_which_batch_on_a_method_pays(ratios, sentence) -> None:
    groups = [Group(size, base(), (row(ratio),)) for size, ratio in ratios.items()]
    assert verdicts(report(*groups))[-1].startswith(sentence)


def test_noise_is_called_noise() -> None:
    """Half of a prompt in less time than its FLOPs take, or in more than all of it."""
    for half in (0.27, 1.52):
        said = verdicts(report(Group(1, base(half), (row(0.5),))))
        assert (
            f"takes {half:.2f} of its time on half of the prompt: the machine is too busy"
            in said[0]
        )


def test_few_rounds_tell_nothing() -> None:
    found = replace(report(Group(1, base(), (row(0.5),))), rounds=4)
    assert verdicts(found)[1:] == [
        "Whether a method pays cannot be told from 4 rounds: take --pairs 10 or more."
    ]


def test_what_removes_nothing_is_no_saving() -> None:
    every = row(0.9, layer_average=576.0)
    assert len(verdicts(report(Group(1, base(), (every,))))) == 1


def test_nothing_is_said_of_what_was_not_measured() -> None:
    lost = Row("fopru", "FoPru", problem="out of memory")
    assert verdicts(report(Group(8, None, (lost,)))) == []
    assert len(verdicts(report(Group(1, base(0.0), (row(0.5),))))) == 2


def test_text_is_aligned_and_explains_its_columns() -> None:
    rows = (row(0.8), row(1.25, name="TransPrune", over_ideal=Spread(1.1, 1.2, 1.3)))
    lost = Row("fastv", "FastV", "25 %", problem="out of memory")
    lines = as_text(report(Group(1, base(), (*rows, lost)))).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("method"))
    head, first, second = lines[at : at + 3]
    assert len(head) == len(second)
    assert head.index("ms") + 2 == first.index("20.0") + 4
    assert "peak" not in head, "no column for what a CPU cannot tell"
    assert lines[at + 3] == "FastV 25 % is not measured: out of memory"
    explained = {line.split("  ")[0] for line in lines[at + 5 :]}
    assert {"kept", "prefill", "FLOPs", "/ideal", "KV"} <= explained
    assert not {"ideal", "token"} & explained


def test_markdown_is_a_table_with_card_and_command() -> None:
    peaks = base(peak_bytes=2**31)
    text = as_markdown(report(Group(8, peaks, (row(0.8, peak_bytes=0.7),))), "pruneviz bench x")
    assert "H200" in text
    assert "`pruneviz bench x`" in text
    assert "peak 2.00 GiB above the weights" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert table[0].startswith("| method | kept |")
    assert table[1].startswith("| --- | ---: |")
    assert table[2].split("|")[1:4] == [" FoPru 25 % ", " 72 ", " 0.0 "]


def test_a_batch_without_a_baseline_says_so() -> None:
    lost = Row("fastv", "FastV", problem="out of memory")
    for text in (as_text, as_markdown):
        shown = text(report(Group(8, None, (lost,))))
        assert "Batch 8: without pruning it did not run" in shown
        assert "FastV is not measured: out of memory" in shown
