"""What families with a vision encoder in front of their language model have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from pruneviz.cost import EncoderShape
from pruneviz.errors import InputError
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.decoder import Decoder
from pruneviz.models.core.towers import pair, tower_index, tower_layers


class VisionLanguageAdapter(Adapter):
    """A family whose inner model holds a vision encoder, a projector and a language model."""

    sees: ClassVar[bool] = True
    tower: ClassVar[str] = "vision_tower"
    projector: ClassVar[str] = "multi_modal_projector"
    language_model: ClassVar[str] = "language_model"
    pixels: ClassVar[tuple[str, ...]] = ("pixel_values",)
    """Names of the inputs that say what the images are."""
    reserved: ClassVar[tuple[str, ...]] = ()
    """Placeholders that a question must not hold."""

    @classmethod
    def exact(cls) -> tuple[str, ...]:
        """The encoder, which is small and decides which patches matter, and the projector."""
        return cls.tower, cls.projector

    def decoder(self, model: Any) -> Decoder:
        """The language model."""
        return Decoder.of(getattr(model.model, self.language_model), type(model).__name__)

    def encoder(self, model: Any) -> Any:
        """The vision encoder."""
        return getattr(model.model, self.tower)

    def encoder_layers(self, model: Any) -> int:
        """As many as the tower stacks."""
        return len(tower_layers(self.encoder(model)))

    def encoder_index(self, model: Any, encoder_layer: int | None = None) -> int:
        """The index of the family's own choice, unless another layer is named."""
        return tower_index(self.encoder(model), encoder_layer, self.own_index(model))

    def own_index(self, model: Any) -> int:
        """Index of the encoder layer to read, unless another is named; negative from the end.

        FoPru names the penultimate layer because LLaVA uses its features.
        """
        return -2

    def encoder_shape(self, config: Any) -> EncoderShape:
        """Sizes of a CLIP-like encoder and of a projector of two matrices."""
        vision = config.vision_config
        rows, columns = pair(vision.patch_size)
        return EncoderShape(
            layers=vision.num_hidden_layers,
            hidden=vision.hidden_size,
            intermediate=vision.intermediate_size,
            patch_values=getattr(vision, "num_channels", 3) * rows * columns,
        )

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
        used = next((t for t in self.placeholders(processor) if t in question), None)
        if used:
            raise InputError(f"Leave the placeholder {used!r} out of the question.")
        text, first = self.asked(processor, question), processor.tokenizer.bos_token
        # A template may write the token itself that the tokenizer puts first.
        begun = bool(first) and text.startswith(first)
        inputs = processor(
            images=image, text=[text], return_tensors="pt", add_special_tokens=not begun
        )
        return inputs.to(model.device, dtype=model.dtype)

    def placeholders(self, processor: Any) -> tuple[str, ...]:
        """Tokens that a question must not hold."""
        return self.reserved

    def visual_mask(self, model: Any, input_ids: torch.Tensor) -> torch.Tensor:
        """True at tokens of images and videos."""
        images, video = super().visual_mask(model, input_ids), self._video_token(model)
        return images if video is None else images | (input_ids == video)

    def mixes(self, model: Any, input_ids: np.ndarray) -> bool:
        """Whether there are images and videos."""
        tokens = getattr(model.config, "image_token_id", None), self._video_token(model)
        return all(token is not None and bool((input_ids == token).any()) for token in tokens)

    @staticmethod
    def _video_token(model: Any) -> int | None:
        return getattr(model.config, "video_token_id", None)

    def encode(self, model: Any, inputs: Any) -> Any:
        """What encoder and projector make of a prompt's images."""
        pixels = {name: inputs[name] for name in self.pixels if name in inputs}
        return model.model.get_image_features(**pixels, return_dict=True)

    def features(self, model: Any, inputs: Any) -> Any:
        """Projected tokens of every image, a sequence of ``[tokens, hidden]``."""
        return self.encode(model, inputs).pooler_output

    @torch.no_grad()
    def embed(self, model: Any, inputs: Any) -> dict[str, Any]:
        """Run encoder and projector once and put their rows into the prompt's embeddings."""
        rows = torch.cat(list(self.features(model, inputs)), dim=0)
        return self.placed(model, inputs, rows)

    @torch.no_grad()
    def embed_again(self, model: Any, inputs: Any, rows: torch.Tensor) -> dict[str, Any] | None:
        """Put the rows of the earlier prompt into this one's embeddings."""
        return self.placed(model, inputs, rows)

    def placed(self, model: Any, inputs: Any, rows: torch.Tensor) -> dict[str, Any]:
        """A prompt's embeddings with the projected tokens ``[visual tokens, hidden]`` in them."""
        ids = inputs["input_ids"]
        embeds = model.get_input_embeddings()(ids)
        mask = self.visual_mask(model, ids).unsqueeze(-1)
        if int(mask.sum()) != len(rows):  # what there is too much of would be left out in silence
            raise InputError(
                f"The prompt has {int(mask.sum())} places for the {len(rows)} tokens of its "
                "pictures: the processor's settings are not the model's."
            )
        embeds = embeds.masked_scatter(mask, rows.to(embeds.device, embeds.dtype))
        return {"inputs_embeds": embeds, "attention_mask": inputs["attention_mask"]}

    def asked(self, processor: Any, question: str) -> str:
        """A question about one image, in the words of the processor's chat template."""
        content = [{"type": "image"}, {"type": "text", "text": question}]
        return str(
            processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True
            )
        )
