"""What picking takes beside the prefill that it shortens, at the sizes of a 7B model.

``python -m benchmarks.picks`` times ResPrune's, CDPruner's and DivPrune's picks on random features
and, in turn, one decoder layer on the unpruned prompt; the prefill is that many of these as the
model has. On CUDA `--device cuda`.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from pruneviz.engine.bench import GEOMETRIES, shape_of
from pruneviz.ops import diversity_profile, dpp_profile, pick_profile

logger = logging.getLogger("benchmarks.picks")
SIZES = (("llava-1.5-7b", 128), ("llava-next-7b", 360))
"""Geometry and picks."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picks", description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for geometry, picks in SIZES:
        report(geometry, picks, torch.device(options.device), options.rounds)
    return 0


@torch.no_grad()
def report(geometry: str, picks: int, device: torch.device, rounds: int) -> None:
    """Time both in turn and say the shares."""
    prompt, shape = GEOMETRIES[geometry], shape_of(geometry)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    features = torch.randn(1, prompt.visual, shape.hidden, device=device, dtype=dtype)
    weight = torch.rand(1, prompt.visual, device=device)
    work: dict[str, Callable[[], Any]] = {
        "prefill": one_layer(shape, prompt.length, device, dtype),
        "ResPrune": lambda: pick_profile(features, weight, picks),
        "CDPruner": lambda: dpp_profile(features, weight, picks),
        "DivPrune": lambda: diversity_profile(features, picks),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, run in work.items():
            seconds = timed(run, device)
            if turn:  # the first warms up
                taken[name].append(seconds * (shape.layers if name == "prefill" else 1))
    whole = median(taken.pop("prefill"))
    logger.info("%s, %d of %d tokens; prefill %.4g s", geometry, picks, prompt.visual, whole)
    for name, rounds_of in taken.items():
        middle = median(rounds_of)
        logger.info("  %-9s %8.4f s, %.2f %%", name, middle, 100 * middle / whole)


def one_layer(
    shape: Any, length: int, device: torch.device, dtype: torch.dtype
) -> Callable[[], Any]:
    """A decoder layer of random weights on a prompt of that length."""
    config = LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        attn_implementation="sdpa",
    )
    layer = LlamaDecoderLayer(config, 0).to(device, dtype)
    hidden = torch.randn(1, length, shape.hidden, device=device, dtype=dtype)
    places = torch.arange(length, device=device)[None]
    rotary = LlamaRotaryEmbedding(config).to(device)(hidden, places)
    return lambda: layer(hidden, position_embeddings=rotary)


def timed(run: Callable[[], Any], device: torch.device) -> float:
    """Seconds of one run, nothing before or after it in them."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
