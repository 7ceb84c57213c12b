"""What the rest of the library needs to know about a model family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from pruneviz.cost import EncoderShape, ModelShape
from pruneviz.errors import UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.decoder import Decoder
from pruneviz.models.core.vision import EncoderRecord


class Adapter(ABC):
    """One model family. Adapters hold no state; the model is an argument everywhere."""

    architectures: ClassVar[tuple[Architecture, ...]] = ()
    """Classes of the family; empty where its models are known by how they are built."""
    example: ClassVar[str]
    """A hub id, for people."""
    loadable: ClassVar[bool] = True
    """Whether :func:`pruneviz.load_model` loads the family by name."""
    kin: ClassVar[str] = ""
    """Which of the families that methods were published for it belongs to: ``"llava"``, ``"qwen"``
    or none."""
    sees: ClassVar[bool] = False
    """Whether the family has a vision encoder."""

    @classmethod
    def described(cls) -> str:
        """Names, classes and an example in one line."""
        titles = " and ".join(entry.title for entry in cls.architectures)
        classes = ", ".join(entry.model_class.__name__ for entry in cls.architectures)
        return f"{titles} ({classes}), e.g. {cls.example}"

    @classmethod
    def matches(cls, model: Any) -> bool:
        """Whether this adapter handles the model."""
        return isinstance(model, tuple(entry.model_class for entry in cls.architectures))

    @classmethod
    def architecture(cls, model_type: str) -> Architecture:
        """That of the family's classes whose configurations are of this type."""
        return next(entry for entry in cls.architectures if entry.model_type == model_type)

    @classmethod
    def exact(cls) -> tuple[str, ...]:
        """Names of modules that quantisation leaves as they are."""
        return ()

    @classmethod
    def load_settings(cls, config: Any) -> dict[str, Any]:
        """Further arguments of ``from_pretrained`` for a model of this configuration."""
        return {}

    def complete(self, processor: Any, model: Any) -> None:
        """Set what the files of a model leave unsaid and its processor needs."""
        return

    @abstractmethod
    def decoder(self, model: Any) -> Decoder:
        """The language model's decoder stack, checked."""

    def entry(self, model: Any) -> Any:
        """The module whose forward receives ``input_ids`` together with the image."""
        return self.decoder(model).module

    def visual_mask(self, model: Any, input_ids: torch.Tensor) -> torch.Tensor:
        """Bool ``[batch, sequence]``, True at visual tokens."""
        token = getattr(model.config, "image_token_id", None)
        if token is None:
            return torch.zeros_like(input_ids, dtype=torch.bool)
        return input_ids == token

    def mixes(self, model: Any, input_ids: np.ndarray) -> bool:
        """Whether a batch, ids ``[batch, sequence]``, holds images and videos.

        The encoder sees them apart.
        """
        return False

    def newline(self, model: Any) -> torch.Tensor | None:
        """The embedding ``[hidden]`` that ends each row of tiles; None where there is none."""
        return None

    def shape(
        self, config: Any, value_bytes: int, encoder_tokens: int = 0, encoder_crops: int = 1
    ) -> ModelShape:
        """Sizes that decide what a forward costs.

        Parameters
        ----------
        config : PretrainedConfig
            Of the whole model.
        value_bytes : int
            Bytes per element of the KV cache.
        encoder_tokens, encoder_crops : int
            Tokens that the encoder computes, and in how many crops, seen one by one.
        """
        text = getattr(config, "text_config", config)
        heads = text.num_attention_heads
        return ModelShape(
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            intermediate=text.intermediate_size,
            heads=heads,
            kv_heads=getattr(text, "num_key_value_heads", None) or heads,
            head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
            vocabulary=text.vocab_size,
            value_bytes=value_bytes,
            encoder=self.encoder_shape(config),
            encoder_tokens=encoder_tokens,
            encoder_crops=encoder_crops,
        )

    def encoder_shape(self, config: Any) -> EncoderShape | None:
        """Sizes of vision encoder and projector; None where there is no encoder."""
        return None

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], encoder_layer: int | None = None
    ) -> Any:
        """Register a hook that records what FoPru needs; returns its handle.

        `encoder_layer` is the layer whose attention is wanted, counted from 1 or, if negative,
        from the end; None is the family's own choice. Raises ValueError where there is none.
        """
        raise UnsupportedModelError(
            f"{type(model).__name__} has no vision encoder here: methods that read one need a "
            "vision-language model."
        )

    def encoder_layers(self, model: Any) -> int:
        """Layers of the vision encoder; 0 where there is none."""
        return 0

    def whole_layers(self, model: Any) -> tuple[int, ...]:
        """Those of them, counted from 1, that attend to the whole image."""
        return tuple(range(1, self.encoder_layers(model) + 1))

    def encoder_index(self, model: Any, encoder_layer: int | None = None) -> int:
        """Index from 0 of the layer that :meth:`watch_vision` records for `encoder_layer`."""
        raise UnsupportedModelError(f"{type(model).__name__} has no vision encoder here.")

    def project(self, model: Any, features: torch.Tensor) -> torch.Tensor:
        """Put encoder features ``[..., k, d]`` into the LLM's input space, ``[..., k, hidden]``.

        Only for families whose :class:`~pruneviz.models.core.vision.EncoderRecord` gives features.
        """
        raise UnsupportedModelError(f"{type(model).__name__}: the projector cannot be used alone.")

    def prepare(self, processor: Any, model: Any, image: Image.Image, question: str) -> Any:
        """Model inputs of one image and question, on the model's device."""
        raise UnsupportedModelError(f"{type(model).__name__} takes no image.")

    def embed(self, model: Any, inputs: Any) -> dict[str, Any]:
        """Encode the image; what `generate` takes in place of ids and pixels.

        ``inputs_embeds`` ``[1, n, hidden]``, ``attention_mask`` ``[1, n]``, ``position_ids``
        where the family computes them from the image, and the encoder's output where the
        embeddings do not hold all of it.
        """
        raise UnsupportedModelError(f"{type(model).__name__} takes no image.")

    def embed_again(self, model: Any, inputs: Any, rows: torch.Tensor) -> dict[str, Any] | None:
        """As :meth:`embed`, of another question about an image that was encoded before.

        `rows` ``[visual tokens, hidden]`` are what its visual tokens were embedded as. None where
        the embeddings do not hold all that the encoder gives.
        """
        return None

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """Where the visual tokens of an image of this size lie."""
        raise UnsupportedModelError(f"{type(model).__name__} takes no image.")
