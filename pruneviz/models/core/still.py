"""One image and its prompt, for families whose own processor needs torchvision for its videos."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import transformers
from PIL import Image

from pruneviz.errors import InputError
from pruneviz.models.core.reading import AS_DATA, read_config
from pruneviz.models.core.towers import pair


class StillProcessor(ABC):
    """What an adapter needs of its family's processor, from the same image processor and tokenizer.

    Parameters
    ----------
    image_processor, tokenizer
        Of the model's folder.
    chat_template : str, optional
        Of the model's folder; default: the tokenizer's, or else the family's usual one.
    """

    image_token: ClassVar[str]
    usual_template: ClassVar[str]

    def __init__(
        self, image_processor: Any, tokenizer: Any, chat_template: str | None = None
    ) -> None:
        self.image_processor, self.tokenizer = image_processor, tokenizer
        offered = (chat_template, tokenizer.chat_template)
        fitting = (text for text in offered if text and self.image_token in text)
        self.chat_template = next(fitting, self.usual_template)

    @classmethod
    def from_pretrained(cls, source: str) -> Self:
        """Load the parts from a hub id or folder."""
        described, _ = transformers.ProcessorMixin.get_processor_dict(source)
        template = described.get("chat_template")
        return cls(
            transformers.AutoImageProcessor.from_pretrained(source, **AS_DATA),
            transformers.AutoTokenizer.from_pretrained(source, **AS_DATA),
            template if isinstance(template, str) else None,
        )

    @abstractmethod
    def pixels(self, image: Image.Image) -> dict[str, Any]:
        """What the image processor makes of one image."""

    @abstractmethod
    def placeholders(self, seen: dict[str, Any]) -> str:
        """What stands in the prompt for that image; takes out what the model is not given."""

    def apply_chat_template(
        self, messages: list[dict[str, Any]], add_generation_prompt: bool = False
    ) -> str:
        """The conversation as text."""
        return str(
            self.tokenizer.apply_chat_template(
                messages,
                chat_template=self.chat_template,
                add_generation_prompt=add_generation_prompt,
                tokenize=False,
            )
        )

    def __call__(
        self,
        images: Image.Image,
        text: Sequence[str],
        videos: Any = None,
        return_tensors: str = "pt",
        add_special_tokens: bool = True,
    ) -> transformers.BatchFeature:
        """One image and its prompt, with as many placeholders as it has visual tokens.

        Returns
        -------
        transformers.BatchFeature
            ``input_ids`` and ``attention_mask``, int64 ``[1, n]``, and what the image processor
            returns for the model.

        Raises
        ------
        InputError
            If there is a video.
        """
        if videos is not None:
            raise InputError("Videos are not supported; give single frames as images.")
        seen = self.pixels(images)
        prompt = text[0].replace(self.image_token, self.placeholders(seen))
        words = self.tokenizer(
            [prompt], return_tensors=return_tensors, add_special_tokens=add_special_tokens
        )
        return transformers.BatchFeature(
            {
                "input_ids": words["input_ids"],
                "attention_mask": words["attention_mask"],
                **seen,
            }
        )


class TiledStills(StillProcessor):
    """Of families in which every crop has the same number of tokens.

    Attributes
    ----------
    crop_tokens : int
        That number.
    """

    crop_tokens: int = 0

    @classmethod
    def from_pretrained(cls, source: str) -> Self:
        """Load the parts; the model's configuration says how many tokens a crop has."""
        made = super().from_pretrained(source)
        config = read_config(source)
        vision = config.vision_config
        patches = pair(vision.image_size)[0] // pair(vision.patch_size)[0]
        made.crop_tokens = (patches // cls.merge(config)) ** 2
        return made

    @staticmethod
    @abstractmethod
    def merge(config: Any) -> int:
        """Patches per side that make one visual token."""
