"""Qwen3-VL: as Qwen2.5-VL, but features of several encoder layers enter the language model."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any, ClassVar

import torch
from transformers import Qwen3VLForConditionalGeneration

from pruneviz.cost import EncoderShape
from pruneviz.errors import UnsupportedModelError
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.decoder import Decoder
from pruneviz.models.core.deepstack import adds_features
from pruneviz.models.qwen_vl.adapter import QwenVLAdapter
from pruneviz.models.qwen_vl.processor import Qwen3StillProcessor

ENCODED = "mm_encoder_outputs"


class Qwen3VLAdapter(QwenVLAdapter):
    """``Qwen3VLForConditionalGeneration``.

    Notes
    -----
    Positions as with Qwen2.5-VL. After each of its first layers the language model adds what an
    earlier encoder layer says of the visual tokens (deepstack); a removed token gets nothing
    more, and scores at such a layer are read with the features added, as the next layer gets
    them. Every encoder block attends to the whole image, so FoPru reads the last one.
    """

    architectures: ClassVar[tuple[Architecture, ...]] = (
        Architecture("Qwen3-VL", Qwen3VLForConditionalGeneration, Qwen3StillProcessor),
    )
    example: ClassVar[str] = "Qwen/Qwen3-VL-4B-Instruct"

    def encoder_shape(self, config: Any) -> EncoderShape:
        """No gates, and a merger for each layer whose features enter the language model."""
        shape, more = super().encoder_shape(config), config.vision_config.deepstack_visual_indexes
        return replace(shape, ffn_matrices=2, projectors=1 + len(more))

    def decoder(self, model: Any) -> Decoder:
        """The language model.

        Raises
        ------
        UnsupportedModelError
            If this release of transformers adds the features in a way that is not known here.
        """
        decoder = super().decoder(model)
        if not adds_features(decoder.module):
            raise UnsupportedModelError(
                f"{type(model).__name__} has no deepstack step in this release of transformers, "
                "so its visual features could not follow the tokens that are kept."
            )
        return decoder

    @torch.no_grad()
    def embed(self, model: Any, inputs: Any) -> dict[str, Any]:
        """The placeholders' embeddings and positions, and the encoder's output beside them.

        Only the model itself can pass the features of the earlier encoder layers on. Releases of
        transformers before 5.18 take no encoded image: they get its pixels and encode it anew.
        """
        encoded = self.encode(model, inputs)
        prompt = {
            "inputs_embeds": model.get_input_embeddings()(inputs["input_ids"]),
            "attention_mask": inputs["attention_mask"],
            "position_ids": self.positions(model, inputs),
        }
        if takes_encoded(model):
            return {**prompt, ENCODED: {"image": encoded}}
        return {**prompt, **{name: inputs[name] for name in self.pixels}}

    def embed_again(self, model: Any, inputs: Any, rows: torch.Tensor) -> dict[str, Any] | None:
        """The embeddings lack the features of the earlier encoder layers."""
        return None


def takes_encoded(model: Any) -> bool:
    """Whether the model's forward takes images that are encoded already."""
    return ENCODED in inspect.signature(model.forward).parameters
