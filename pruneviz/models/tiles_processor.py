"""Images and text for SmolVLM and InternVL where torchvision or num2words is missing.

Both serve videos alone, but the families' own processors cannot be built without them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import transformers
from PIL import Image

from pruneviz.models.core.still import StillProcessor
from pruneviz.models.core.vision import pair

AROUND = "<fake_token_around_image>"


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
        config = transformers.AutoConfig.from_pretrained(source)
        vision = config.vision_config
        patches = pair(vision.image_size)[0] // pair(vision.patch_size)[0]
        made.crop_tokens = (patches // cls.merge(config)) ** 2
        return made

    @staticmethod
    @abstractmethod
    def merge(config: Any) -> int:
        """Patches per side that make one visual token."""


class SmolVLMStills(TiledStills):
    """What the adapter needs of ``SmolVLMProcessor``."""

    image_token: ClassVar[str] = "<image>"  # noqa: S105 - a placeholder in prompts
    usual_template: ClassVar[str] = (
        "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
        "{% if message['content'][0]['type'] != 'image' %} {% endif %}"
        "{% for part in message['content'] %}"
        "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
        "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
    )

    @staticmethod
    def merge(config: Any) -> int:
        """Patches per side that make one visual token."""
        return int(config.scale_factor)

    def pixels(self, image: Image.Image) -> dict[str, Any]:
        """``pixel_values`` ``[1, crops, 3, side, side]``, their mask, and the tiles' numbers."""
        return dict(
            self.image_processor(images=image, return_row_col_info=True, return_tensors="pt")
        )

    def placeholders(self, seen: dict[str, Any]) -> str:
        """Each tile behind the name of its row and column, rows on lines, then the whole image."""
        rows, columns = (int(seen.pop(name)[0][0]) for name in ("rows", "cols"))
        crop = self.image_token * self.crop_tokens
        lines = [
            "".join(f"{AROUND}<row_{row}_col_{column}>{crop}" for column in range(1, columns + 1))
            for row in range(1, rows + 1)
        ]
        tiles = "".join(f"{line}\n" for line in lines)
        gap = "\n" if tiles else ""
        return f"{tiles}{gap}{AROUND}<global-img>{crop}{AROUND}"


class InternVLStills(TiledStills):
    """What the adapter needs of ``InternVLProcessor``."""

    image_token: ClassVar[str] = "<IMG_CONTEXT>"  # noqa: S105 - a placeholder in prompts
    usual_template: ClassVar[str] = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% for part in message['content'] %}"
        "{{ '<IMG_CONTEXT>\n' if part['type'] == 'image' else part['text'] }}{% endfor %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )

    @staticmethod
    def merge(config: Any) -> int:
        """Patches per side that make one visual token."""
        return round(1 / config.downsample_ratio)

    def pixels(self, image: Image.Image) -> dict[str, Any]:
        """``pixel_values`` ``[crops, 3, side, side]`` and the number of crops."""
        # The image processor alone would not cut; the family's own processor always has it do so.
        return dict(self.image_processor(images=image, crop_to_patches=True, return_tensors="pt"))

    def placeholders(self, seen: dict[str, Any]) -> str:
        """All crops' tokens in one row between two marks."""
        crops = int(seen.pop("num_patches")[0])
        return f"<img>{self.image_token * (crops * self.crop_tokens)}</img>"
