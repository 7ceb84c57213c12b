"""What choosing tokens costs, against PyTorch's own counter on real forwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pruneviz import Random, get_method, list_methods, prune
from pruneviz.methods import Card, Method, Scores, Stage, StageContext
from pruneviz.methods.base import Positions
from pruneviz.pruning.counting import FlopCounter
from tests.helpers import prompt, tiny

KEEP = 9


@dataclass(frozen=True, kw_only=True)
class Replay(Method):
    """Removes what another run removed, without choosing."""

    name: ClassVar[str] = "replay"
    card: ClassVar[Card] = Random.card

    records: Any

    def stages(self) -> tuple[Stage, ...]:
        return tuple(Stage(r.stage.layer, index) for index, r in enumerate(self.records))

    def positions_at(self, stage: Stage) -> Positions:
        return self.records[stage.index].stage.positions

    def count(self, stage: Stage, num_visual: int) -> int:
        return len(self.records[stage.index].kept)

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        record = self.records[stage.index]
        slots = record.alive.tolist()
        places = torch.tensor([slots.index(slot) for slot in record.kept.tolist()])
        return replace(record.scores, kept=places)


def products(model: Any, case: Any, method: Any, vision: Any) -> int:
    """Of a whole pruned forward, by PyTorch's counter, which sees all of eager attention."""
    block = prune(model, method, vision=vision, **case.prune_kwargs)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), block as run:
        model(**case.inputs)
    assert run.scoring_flops == 0
    return counter.get_total_flops()


@pytest.mark.parametrize("name", list_methods())
def test_choosing_is_what_a_forward_takes_beyond_the_same_removal(name: str) -> None:
    model, case = tiny("llava_clip", "eager"), prompt("llava_clip")
    method = get_method(name, keep_tokens=KEEP, num_layers=6)
    with prune(model, method, count_flops=True, **case.prune_kwargs) as run:
        model(**case.inputs)
    counter, prefill = run._runner.spec.counter, run._runner.prefill
    assert run.scoring_flops == counter.products + counter.others
    assert run.scoring_flops > 0 or name in ("random", "uniform", "grid")
    again = Replay(records=prefill.records(0))
    seen = (prefill.prompt.vision, *prefill.prompt.further) if prefill.prompt.vision else ()
    whole = products(model, case, method, seen)
    assert whole - products(model, case, again, seen) == counter.products


def test_the_counter_counts_by_hand() -> None:
    a, b, v = torch.randn(3, 4), torch.randn(4, 5), torch.randn(4)
    with FlopCounter() as counter:
        a @ b
        a @ v
    assert (counter.products, counter.others) == (2 * 3 * 4 * 5, 2 * 3 * 4)
    counter.clear()
    with counter:
        (a * 2 + 1).sum()
    assert (counter.products, counter.others) == (0, 3 * 12)
    assert counter.total == 36
    counter.clear()
    with counter:
        torch.cat([a, a])[[2, 0]]
    assert counter.total == 0, "moving numbers is no arithmetic"


@pytest.mark.parametrize("layers", [(2,), (1, 2, 3)])
def test_transitions_are_counted_where_they_choose(layers: tuple[int, ...]) -> None:
    """Of each layer every state is at least multiplied once; recording it is no choosing."""
    model, case = tiny("llama"), prompt("llama")
    stage = {"prune_layers": (3,), "keep_ratios": (0.5,), "accumulate_layers": layers}

    def flops(signal: str, **settings: Any) -> int:
        method = get_method("transprune", signal=signal, num_layers=6, **stage)
        with prune(model, method, count_flops=True, **settings, **case.prune_kwargs) as run:
            model(**case.inputs)
        return run.scoring_flops

    chosen = flops("ttv")
    assert chosen > len(layers) * case.embeds.numel()
    for signal in ("ttv", "iga"):
        assert flops(signal, record=("ttv",)) == flops(signal)


def test_a_second_prefill_begins_anew() -> None:
    model, case = tiny("llama"), prompt("llama")
    method = get_method("fastv", keep_tokens=KEEP, num_layers=6)
    with prune(model, method, count_flops=True, **case.prune_kwargs) as run:
        model(**case.inputs)
        once = run.scoring_flops
        model(**case.inputs)
    assert run.scoring_flops == once > 0


@pytest.mark.parametrize(
    ("operator", "steps"),
    [
        (lambda x: x.amin(0), 12),
        (lambda x: x.max(-1), 12),
        (lambda x: x.cumsum(0), 12),
        (lambda x: torch.zeros(2, 4).index_add_(0, torch.tensor([0, 1, 1]), x), 12),
        (lambda x: x.clone().masked_fill(x > 0, 0.0), 0),
        (lambda x: x.argmax(-1), 0),
        (lambda x: x[[0, 2]], 0),
    ],
)
def test_what_is_a_step_and_what_only_moves(operator: Any, steps: int) -> None:
    values = torch.randn(3, 4)
    with FlopCounter() as counter:
        operator(values)
    assert counter.others == steps
