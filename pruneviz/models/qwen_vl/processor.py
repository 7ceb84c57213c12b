"""Images and text for Qwen2-VL and its successors where torchvision is not installed.

The family's own processor cannot even be built without torchvision, because its video part needs
it. Still images do not: this one joins the same image processor and tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import transformers
from PIL import Image

from pruneviz.models.core.still import StillProcessor

PLACEHOLDER = "<|image_pad|>"
_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
)
TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class StillImageProcessor(StillProcessor):
    """What the adapter needs of ``Qwen2_5_VLProcessor``."""

    image_token: ClassVar[str] = PLACEHOLDER
    usual_template: ClassVar[str] = _SYSTEM + TEMPLATE

    def pixels(self, image: Image.Image) -> dict[str, Any]:
        """``pixel_values`` ``[patches, values]`` and ``image_grid_thw`` ``[1, 3]``."""
        return dict(self.image_processor(images=image, return_tensors="pt"))

    def placeholders(self, seen: dict[str, Any]) -> str:
        """One for every square of patches that is merged."""
        count = int(seen["image_grid_thw"][0].prod()) // self.image_processor.merge_size**2
        return self.image_token * count

    def __call__(
        self,
        images: Image.Image,
        text: Sequence[str],
        videos: Any = None,
        return_tensors: str = "pt",
        add_special_tokens: bool = True,
    ) -> transformers.BatchFeature:
        """As the base class, and ``mm_token_type_ids`` (1 at visual tokens), int64 ``[1, n]``."""
        made = super().__call__(images, text, videos, return_tensors, add_special_tokens)
        visual = made["input_ids"] == self.tokenizer.convert_tokens_to_ids(self.image_token)
        made["mm_token_type_ids"] = visual.to(torch.int64)
        return made


class Qwen3StillProcessor(StillImageProcessor):
    """The same for Qwen3-VL, whose conversations have no system message unless given one."""

    usual_template: ClassVar[str] = TEMPLATE
