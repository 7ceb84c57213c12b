"""Errors in what measures times: each would let a figure mean something else than it says."""

from __future__ import annotations

from tests.mutations.runner import Mutation

BENCHES = "tests/engine/test_bench.py"
IDEAL = "tests/engine/test_bench_ideal.py"
WORDS = "tests/engine/test_bench_words.py"
GEOMETRY = "tests/engine/test_bench_geometry.py"
PAGE = "tests/ui/test_measuring.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


BENCH = (
    _in(
        "engine/bench/rounds",
        "Rounds that warm up are counted",
        "self._one(batch, lane, number >= 0)",
        "self._one(batch, lane, True)",
        BENCHES,
    ),
    _in(
        "engine/bench/rounds",
        "Ratios are unpruned over pruned",
        "Spread.of([b / a for a, b in",
        "Spread.of([a / b for a, b in",
        BENCHES,
    ),
    _in(
        "engine/bench/rounds",
        "Any failure counts as one of memory",
        "            if not is_out_of_memory(error):\n                raise\n",
        "",
        BENCHES,
    ),
    _in(
        "engine/bench/subject",
        "Rows of a batch are the same, as beams are",
        "pixels.view(-1)[0] += number",
        "pixels.view(-1)[0] += 0",
        BENCHES,
    ),
    _in(
        "engine/bench/runs",
        "Answers end where the model ends them",
        "                    min_new_tokens=tokens,\n",
        "",
        BENCHES,
    ),
    _in(
        "engine/bench/runs",
        "Choosing costs nothing",
        "flops = run.scoring_flops if method else 0",
        "flops = 0",
        BENCHES,
    ),
    _in(
        "engine/bench/ideal",
        "The ideal leaves out other tokens",
        "wanted = np.union1d(text, patches[done[-1].kept]) if done else before",
        "wanted = text",
        IDEAL,
    ),
    _in(
        "engine/bench/ideal",
        "The ideal counts positions anew",
        "positions = prompt.positions.gather(-1, seen.expand(*lead, -1))",
        "positions = prompt.positions[..., : seen.shape[-1]]",
        IDEAL,
    ),
    _in(
        "engine/bench/ideal",
        "The ideal adds features to the wrong tokens",
        "rank[self._rows, seen][left]",
        "torch.arange(int(left.sum()))",
        IDEAL,
    ),
    _in(
        "engine/bench/limits",
        "A batch size between two that pay need not",
        "        if not pays(row):\n            break\n",
        "        if not pays(row):\n            continue\n",
        WORDS,
    ),
    _in(
        "engine/bench/limits",
        "Half of the rounds are enough to pay",
        "row.prefill.high < 1",
        "row.prefill.middle < 1",
        WORDS,
    ),
    _in(
        "engine/bench/geometry",
        "Memory is not looked at",
        "if free is not None and need > free:",
        "if free is None:",
        GEOMETRY,
    ),
    _in(
        "ui/ask/measuring",
        "Exports do not hear of the times",
        "held=Held(shown, held.files)",
        "held=held",
        PAGE,
    ),
)
