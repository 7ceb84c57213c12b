"""What pruning adds to a forward, counted in operators.

``python -m benchmarks.operators`` prints, for real depth and token counts and tiny widths, the
operators of a pruned prefill and decode step over those of the unpruned ones. They depend on
neither widths nor machine, and a card that waits for launches pays for each of them.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2Config,
)

from pruneviz import get_method, list_methods, observe, prune
from pruneviz.methods import Method

logger = logging.getLogger("benchmarks.operators")
LAYERS, VISUAL, IMAGE = 32, 576, 5
SIGNALS = ("ttv", "iga", "residual")
WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2"}
BATCHES = [(1, False), (4, False), (4, True)]
"""Rows, and whether they are padded."""


class Operators(TorchDispatchMode):
    """Counts operators by name while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and count it."""
        self.by_name[func._schema.name] += 1
        return func(*args, **(kwargs or {}))

    @property
    def total(self) -> int:
        """All of them."""
        return self.by_name.total()

    @property
    def waits(self) -> int:
        """Those that wait for a device."""
        return sum(self.by_name[name] for name in WAITS)


@cache
def deep(kind: str) -> Any:
    """A model of that depth with LLaVA-1.5's picture."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 96,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": 4096,
    }
    text = (
        LlamaConfig(**sizes, num_key_value_heads=4)
        if kind == "llama"
        else Qwen2Config(**sizes, num_key_value_heads=2)
    )
    vision = CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=3,
        image_size=336,
        patch_size=14,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=IMAGE,
        image_token_index=IMAGE,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=VISUAL,
    )
    return LlavaForConditionalGeneration(config).eval()


def batch_of(rows: int, padded: bool) -> dict[str, torch.Tensor]:
    """Inputs of that many prompts, some of them padded."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(8, 96, (rows, 40 + VISUAL), generator=generator)
    ids[:, 20 : 20 + VISUAL] = IMAGE
    mask = torch.ones_like(ids)
    for row in range(rows):
        mask[row, : 2 * row * padded] = 0
    pixels = torch.randn(rows, 3, 336, 336, generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels}


def step_after(inputs: dict[str, torch.Tensor], new: int) -> dict[str, torch.Tensor]:
    """Inputs of the decode step with that many tokens since the prompt, itself included."""
    mask = inputs["attention_mask"]
    longer = torch.cat([mask, mask.new_ones(len(mask), new)], dim=1)
    positions = mask.sum(-1, keepdim=True) + new - 1
    ids = torch.full((len(mask), 1), 9)
    return {"input_ids": ids, "attention_mask": longer, "position_ids": positions}


def counted(
    kind: str, inputs: dict[str, torch.Tensor], method: Method | None, record: Sequence[str] = ()
) -> tuple[Operators, Operators]:
    """Operators of the prefill and of the second decode step."""
    model = deep(kind)
    block: AbstractContextManager[Any] = nullcontext()
    if method is not None:
        block = prune(model, method)
    elif record:
        block = observe(model, record=record)
    prefill, step = Operators(), Operators()
    with torch.no_grad(), block:
        with prefill:
            out = model(**inputs, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        model(**step_after(inputs, 1), past_key_values=cache)
        with step:
            model(**step_after(inputs, 2), past_key_values=cache)
    return prefill, step


@cache
def unpruned(kind: str, rows: int, padded: bool) -> tuple[Operators, Operators]:
    """The same of the unpruned model."""
    return counted(kind, batch_of(rows, padded), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, count and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operators", description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list_methods(), metavar="NAME")
    parser.add_argument("--keep-ratio", type=float, default=0.125)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    heads = [f"batch {rows}{', padded' if padded else ''}" for rows, padded in BATCHES]
    logger.info("| method | %s | decode |", " | ".join(heads))
    logger.info("|---|%s---|", "---|" * len(heads))
    for name in options.methods:
        method = get_method(name, keep_ratio=options.keep_ratio, num_layers=LAYERS)
        logger.info("%s", line(method.title, method))
    logger.info("%s", line("all signals recorded", None))
    return 0


def line(title: str, method: Method | None) -> str:
    """A row of the table: prefills, and the decode step of one prompt."""
    shares, step = [], 0.0
    if method is not None:
        # What follows from the layout alone is made at the first time only.
        counted("llama", batch_of(1, False), method)
    for rows, padded in BATCHES:
        signals = SIGNALS if method is None else ()
        prefill, decode = counted("llama", batch_of(rows, padded), method, signals)
        plain, plain_step = unpruned("llama", rows, padded)
        shares.append(f"{prefill.total / plain.total:.3f}")
        step = step or decode.total / plain_step.total
    return f"| {title} | {' | '.join(shares)} | {step:.3f} |"


if __name__ == "__main__":
    sys.exit(main())
