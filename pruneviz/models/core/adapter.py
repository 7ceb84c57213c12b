"""What the rest of the library needs to know about a model family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from PIL import Image

from pruneviz.errors import InputError, UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.decoder import Decoder
from pruneviz.models.core.vision import EncoderRecord


class Adapter(ABC):
    """One model family. Adapters hold no state; the model is an argument everywhere."""

    family: ClassVar[str]
    example: ClassVar[str]
    loadable: ClassVar[bool] = True
    """Whether :func:`pruneviz.load_model` loads the family by name."""
    sees: ClassVar[bool] = False
    """Whether the family has a vision encoder."""

    @classmethod
    @abstractmethod
    def matches(cls, model: Any) -> bool:
        """Whether this adapter handles the model."""

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

    def mixes(self, model: Any, input_ids: torch.Tensor) -> bool:
        """Whether a batch holds both images and videos, which the encoder sees apart."""
        return False

    def newline(self, model: Any) -> torch.Tensor | None:
        """The embedding ``[hidden]`` that ends each row of tiles; None where there is none."""
        return None

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], layer: int | None = None
    ) -> Any:
        """Register a hook that records what FoPru needs; returns its handle.

        `layer` is the encoder layer whose attention is wanted, counted from 1 or, if negative,
        from the end; None is the family's own choice. Raises ValueError where there is none.
        """
        raise UnsupportedModelError(
            f"{type(model).__name__} has no vision encoder here: methods that read its attention "
            "(FoPru) need a vision-language model."
        )

    def vision_layer(self, model: Any, asked: int | None = None) -> int:
        """Index from 0 of the encoder layer that :meth:`watch_vision` records for `asked`."""
        raise UnsupportedModelError(f"{type(model).__name__} has no vision encoder here.")

    def project(self, model: Any, features: torch.Tensor) -> torch.Tensor:
        """Put encoder features ``[k, d]`` into the LLM's input space, ``[k, hidden]``.

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

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """Where the visual tokens of an image of this size lie."""
        raise UnsupportedModelError(f"{type(model).__name__} takes no image.")


class VisionLanguageAdapter(Adapter):
    """A family whose inner model holds an encoder and ``language_model``."""

    sees: ClassVar[bool] = True
    reserved: ClassVar[tuple[str, ...]] = ()
    """Placeholders that a question must not hold."""

    def decoder(self, model: Any) -> Decoder:
        """The language model."""
        return Decoder.of(model.model.language_model, type(model).__name__)

    def entry(self, model: Any) -> Any:
        """The inner model, which sees ids and pixels together."""
        return model.model

    def prepare(self, processor: Any, model: Any, image: Image.Image, question: str) -> Any:
        """Chat template around the question, image processed, all on the model's device.

        Raises
        ------
        InputError
            If the question holds a placeholder.
        """
        used = next((token for token in self.reserved if token in question), None)
        if used:
            raise InputError(f"Leave the placeholder {used!r} out of the question.")
        text = self.asked(processor, question)
        inputs = processor(images=image, text=[text], return_tensors="pt")
        return inputs.to(model.device, dtype=model.dtype)

    def visual_mask(self, model: Any, input_ids: torch.Tensor) -> torch.Tensor:
        """True at tokens of images and videos."""
        return super().visual_mask(model, input_ids) | self._video_mask(model, input_ids)

    def mixes(self, model: Any, input_ids: torch.Tensor) -> bool:
        """Whether there are images and videos."""
        parts = super().visual_mask(model, input_ids), self._video_mask(model, input_ids)
        return all(bool(part.any()) for part in parts)

    def _video_mask(self, model: Any, input_ids: torch.Tensor) -> torch.Tensor:
        token = getattr(model.config, "video_token_id", None)
        return (
            torch.zeros_like(input_ids, dtype=torch.bool) if token is None else input_ids == token
        )

    @abstractmethod
    def features(self, model: Any, inputs: Any) -> Any:
        """Projected tokens of every image, a sequence of ``[tokens, hidden]``."""

    @torch.no_grad()
    def embed(self, model: Any, inputs: Any) -> dict[str, Any]:
        """Run encoder and projector once and put their rows into the prompt's embeddings."""
        ids = inputs["input_ids"]
        embeds = model.get_input_embeddings()(ids)
        rows = torch.cat(list(self.features(model, inputs)), dim=0).to(embeds.device, embeds.dtype)
        mask = self.visual_mask(model, ids)
        embeds = embeds.masked_scatter(mask.unsqueeze(-1), rows)
        return {"inputs_embeds": embeds, "attention_mask": inputs["attention_mask"]}

    @staticmethod
    def asked(processor: Any, question: str) -> str:
        """A question about one image, in the words of the processor's chat template."""
        content = [{"type": "image"}, {"type": "text", "text": question}]
        return str(
            processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True
            )
        )
