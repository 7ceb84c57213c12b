"""Images and text for Qwen2-VL and its successors where torchvision is not installed.

The family's own processor cannot even be built without torchvision, because its video part needs
it. Still images do not: this one joins the same image processor and tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers
from PIL import Image

PLACEHOLDER = "<|image_pad|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if default_system and loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class StillImageProcessor:
    """What the adapter needs of ``Qwen2_5_VLProcessor``.

    Parameters
    ----------
    image_processor, tokenizer
        Of the model's folder.
    system : bool
        Whether a conversation without a system message gets the usual one, where the tokenizer
        has no template. Qwen3-VL has none.
    """

    image_token = PLACEHOLDER

    def __init__(self, image_processor: Any, tokenizer: Any, system: bool = True) -> None:
        self.image_processor, self.tokenizer = image_processor, tokenizer
        self.system = system

    @classmethod
    def from_pretrained(cls, source: str, system: bool = True) -> StillImageProcessor:
        """Load both parts from a hub id or folder."""
        return cls(
            transformers.AutoImageProcessor.from_pretrained(source),
            transformers.AutoTokenizer.from_pretrained(source),
            system,
        )

    def apply_chat_template(
        self, messages: list[dict[str, Any]], add_generation_prompt: bool = False
    ) -> str:
        """The conversation as text, by the tokenizer's template or Qwen's usual one."""
        template = self.tokenizer.chat_template
        if not template or self.image_token not in template:
            template = TEMPLATE
        return str(
            self.tokenizer.apply_chat_template(
                messages,
                chat_template=template,
                add_generation_prompt=add_generation_prompt,
                tokenize=False,
                default_system=self.system,
            )
        )

    def __call__(
        self, images: Image.Image, text: Sequence[str], return_tensors: str = "pt"
    ) -> transformers.BatchFeature:
        """One image and its prompt, with as many placeholders as it has visual tokens.

        Returns
        -------
        transformers.BatchFeature
            ``input_ids``, ``attention_mask``, ``mm_token_type_ids`` (1 at visual tokens), int64
            ``[1, n]``; ``pixel_values`` ``[patches, values]``; ``image_grid_thw`` ``[1, 3]``.
        """
        seen = self.image_processor(images=images, return_tensors=return_tensors)
        count = int(seen["image_grid_thw"][0].prod()) // self.image_processor.merge_size**2
        prompt = text[0].replace(self.image_token, self.image_token * count)
        words = self.tokenizer([prompt], return_tensors=return_tensors)
        ids = words["input_ids"]
        visual = ids == self.tokenizer.convert_tokens_to_ids(self.image_token)
        return transformers.BatchFeature(
            {
                "input_ids": ids,
                "attention_mask": words["attention_mask"],
                "mm_token_type_ids": visual.to(torch.int64),
                **seen,
            }
        )
