"""What is measured: a model and a prompt, as a batch of any size."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch
from PIL import Image

from pruneviz.cost import ModelShape
from pruneviz.errors import InputError
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.loading import LoadedModel
from pruneviz.models.core.vision import EncoderRecord

ATTENTIONS = ("sdpa", "eager", "flash_attention_2")


@dataclass(frozen=True, eq=False)
class Subject:
    """A model with the inputs of one prompt.

    Attributes
    ----------
    title : str
        What it is, for people.
    model, adapter
        The transformers model and what the library knows about its family.
    inputs : dict of str to torch.Tensor
        Of a batch of one: ids, mask, pixels and what else the model takes.
    newlines, positions
        As :func:`pruneviz.prune` takes them.
    """

    title: str
    model: Any
    adapter: Adapter
    inputs: dict[str, Any]
    newlines: str = "visual"
    positions: str | None = None
    _shape: list[ModelShape] = field(default_factory=list, repr=False)

    @classmethod
    def of_question(
        cls,
        loaded: LoadedModel,
        image: Image.Image,
        question: str,
        newlines: str = "visual",
        positions: str | None = None,
        title: str = "",
    ) -> Subject:
        """A loaded model, asked about an upright RGB image."""
        inputs = dict(loaded.adapter.prepare(loaded.processor, loaded.model, image, question))
        where = (newlines, positions)
        return cls(title or loaded.name, loaded.model, loaded.adapter, inputs, *where)

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        device: torch.device = self.model.device
        return device

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return int(self.inputs["input_ids"].shape[1])

    @property
    def num_layers(self) -> int:
        """Decoder layers."""
        return self.adapter.decoder(self.model).num_layers

    def batch(self, size: int) -> dict[str, Any]:
        """The prompt `size` times, each time with another first number in its pixels.

        Equal rows would be taken for beams of one sample, which share one selection.
        """
        rows = [self._row(number) for number in range(size)]
        return {
            name: torch.cat([row[name] for row in rows]) if torch.is_tensor(value) else value
            for name, value in self.inputs.items()
        }

    def _row(self, number: int) -> dict[str, Any]:
        row = dict(self.inputs)
        if number:
            pixels = row["pixel_values"].clone()
            pixels.view(-1)[0] += number
            row["pixel_values"] = pixels
        return row

    def encode(self, inputs: dict[str, Any]) -> Any:
        """Run vision encoder and projector alone."""
        return self.adapter.embed(self.model, inputs)

    def visual_mask(self, inputs: dict[str, Any], embeds: torch.Tensor) -> torch.Tensor:
        """Bool ``[batch, n]``: the tokens that may be removed, given the prompt's embeddings."""
        mask = self.adapter.visual_mask(self.model, inputs["input_ids"])
        newline = self.adapter.newline(self.model) if self.newlines == "text" else None
        if newline is None:
            return mask
        return mask & (embeds != newline.to(embeds.device, embeds.dtype)).any(-1)

    @property
    @torch.no_grad()
    def num_visual(self) -> int:
        """Visual tokens of the prompt that may be removed."""
        embeds = self.encode(self.inputs)["inputs_embeds"]
        return int(self.visual_mask(self.inputs, embeds).sum())

    @property
    def shape(self) -> ModelShape:
        """Sizes that decide what a forward costs, one image's encoding included."""
        if not self._shape:
            self._shape.append(self._measured_shape())
        return self._shape[0]

    def _measured_shape(self) -> ModelShape:
        seen: list[EncoderRecord] = []
        handle = self.adapter.watch_vision(self.model, seen.append)
        try:
            self.encode(self.inputs)
        finally:
            handle.remove()
        size = torch.empty(0, dtype=self.model.dtype).element_size()
        tokens, crops = (seen[-1].encoder_tokens, seen[-1].encoder_crops) if seen else (0, 1)
        return self.adapter.shape(self.model.config, size, tokens, crops)


def check_attention(name: str, device: torch.device, dtype: Any) -> None:
    """Refuse an attention implementation that cannot run here.

    Raises
    ------
    InputError
        If it is unknown, its package is not installed, or device or dtype do not go with it.
    """
    if name not in ATTENTIONS:
        raise InputError(f"attention must be one of {', '.join(ATTENTIONS)}, not {name!r}.")
    if name != "flash_attention_2":
        return
    if find_spec("flash_attn") is None:
        raise InputError(
            "flash_attention_2 needs the package flash-attn, which is not installed: "
            "pip install flash-attn, or take --attention sdpa."
        )
    if device.type != "cuda" or dtype not in (torch.float16, torch.bfloat16):
        raise InputError("flash_attention_2 needs a CUDA device and --dtype float16 or bfloat16.")


def set_attention(subject: Subject, name: str) -> None:
    """Let the whole model attend by `name`, one of `ATTENTIONS`.

    Raises
    ------
    InputError
        If it is unknown, its package is not installed, or device or dtype do not go with it.
    """
    check_attention(name, subject.device, subject.model.dtype)
    subject.model.set_attn_implementation(name)
