"""What a checkpoint on the hub is made of, and a folder of it with less depth and width."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

from pruneviz.models.registry import LOADABLE
from tests.replicas.tokens import Spelling

QUESTION = "where is the cat"
SIZE = (500, 125)
"""Width and height of the picture that is asked about: few tiles."""
NESTED = "vision_tower.vision_model."
"""A level in the names of CLIP's and SigLIP's modules that newer releases do without."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint, file by file.

    Attributes
    ----------
    hub : str
        Its id.
    config : dict
        ``config.json``.
    files : dict of str to dict or str
        Other files: JSON, or text as it is.
    spelling : Spelling
        Its tokenizer.
    weights : tuple of str
        Names of all weights in its files, with braces as a shell expands them.
    modules : tuple of (str, str)
        Patterns in these names and what the model of today calls them.
    prompt : str
        What the model must be given about :data:`QUESTION` and a picture of :data:`SIZE`.
    placeholder : str
        That stands for a visual token in it.
    tied : bool
        Whether the head, which has no weights of its own then, is the embedding.
    unknown : dict of str to tuple of int
        Further entries, which no module of today has, and their shapes.
    dtype : torch.dtype
        Of the weights.
    shards : int
        Files of weights.
    """

    hub: str
    config: dict[str, Any]
    files: dict[str, Any]
    spelling: Spelling
    weights: tuple[str, ...]
    prompt: str
    placeholder: str
    modules: tuple[tuple[str, str], ...] = ()
    tied: bool = False
    unknown: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dtype: torch.dtype = torch.bfloat16
    shards: int = 2

    def images_can_be_prepared(self) -> bool:
        """Whether this release has its image processor, here."""
        kind = self.files["preprocessor_config.json"]["image_processor_type"].removesuffix("Fast")
        try:
            (getattr(transformers, f"{kind}Pil", None) or getattr(transformers, kind))()
        except ImportError:
            return False
        return True

    def names(self) -> list[str]:
        """Of all its weights."""
        return [name for pattern in self.weights for name in expanded(pattern)]

    def module_of(self, name: str) -> str:
        """What the model of today calls a weight, without :data:`NESTED`."""
        for pattern, now in self.modules:
            name = re.sub(pattern, now, name)
        return name

    def write(self, folder: Path) -> dict[str, torch.Tensor]:
        """Write all files; returns the weights under the names of today."""
        for name, content in self.files.items():
            text = content if isinstance(content, str) else json.dumps(content, indent=2)
            (folder / name).write_text(text, encoding="utf-8")
        whole = {"config.json": self.config, "tokenizer.json": self.spelling.file()}
        for name, content in whole.items():
            (folder / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
        return self._write_weights(folder)

    def _write_weights(self, folder: Path) -> dict[str, torch.Tensor]:
        shapes = self._shapes(folder)
        now = {name: self.module_of(name) for name in self.names()}
        assert set(now.values()) == set(shapes), set(now.values()) ^ set(shapes)
        generator = torch.Generator().manual_seed(len(self.hub))
        tensors = {
            name: random(name, shapes[module], generator).to(self.dtype)
            for name, module in now.items()
        }
        kept = {now[name]: tensor for name, tensor in tensors.items()}
        tensors |= {name: torch.ones(shape) for name, shape in self.unknown.items()}
        save_shards(folder, tensors, self.shards)
        return kept

    def _shapes(self, folder: Path) -> dict[str, torch.Size]:
        config = transformers.AutoConfig.from_pretrained(folder)
        kind = LOADABLE[config.model_type].architecture(config.model_type).model_class
        with torch.device("meta"):
            model = kind(config)
        found = {plain(name): weight.shape for name, weight in model.state_dict().items()}
        if self.tied:
            del found["lm_head.weight"]
        return found


def plain(name: str) -> str:
    """The name of a weight in any release, as in the newest."""
    return name.replace(NESTED, "vision_tower.")


def expanded(pattern: str) -> Iterator[str]:
    """As a shell: ``{a,b}`` is one of these, ``{0..3}`` a number."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [[part] if n % 2 == 0 else list(_choices(part)) for n, part in enumerate(parts)]
    return map("".join, itertools.product(*choices))


def _choices(inside: str) -> Iterator[str]:
    first, dots, last = inside.partition("..")
    return map(str, range(int(first), int(last) + 1)) if dots else iter(inside.split(","))


def random(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Weights far from zero, so that attention and transitions differ between tokens."""
    noise = torch.randn(shape, generator=generator)
    return 1 + 0.2 * noise if "norm" in name and name.endswith("weight") else 0.15 * noise


def save_shards(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    """Weights in files that an index lists; a single one has no index."""
    metadata = {"format": "pt"}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata=metadata)
        return
    place = {
        name: f"model-{1 + n % shards:05}-of-{shards:05}.safetensors"
        for n, name in enumerate(tensors)
    }
    for file in set(place.values()):
        part = {name: tensor for name, tensor in tensors.items() if place[name] == file}
        save_file(part, folder / file, metadata=metadata)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": place}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
