"""Images and text for SmolVLM where torchvision or num2words is missing.

Both serve videos alone, but the family's own processor cannot be built without them.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import transformers
from PIL import Image

from pruneviz.models.still import StillProcessor
from pruneviz.models.vision import pair

AROUND = "<fake_token_around_image>"


class SmolVLMStills(StillProcessor):
    """What the adapter needs of ``SmolVLMProcessor``.

    Attributes
    ----------
    crop_tokens : int
        Visual tokens of a crop.
    """

    image_token: ClassVar[str] = "<image>"  # noqa: S105 - a placeholder in prompts
    usual_template: ClassVar[str] = (
        "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
        "{% if message['content'][0]['type'] != 'image' %} {% endif %}"
        "{% for part in message['content'] %}"
        "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
        "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
    )
    crop_tokens: int = 64

    @classmethod
    def from_pretrained(cls, source: str) -> Self:
        """Load the parts; the model's configuration says how many tokens a crop has."""
        made = super().from_pretrained(source)
        config = transformers.AutoConfig.from_pretrained(source)
        vision = config.vision_config
        patches = pair(vision.image_size)[0] // pair(vision.patch_size)[0]
        made.crop_tokens = (patches // config.scale_factor) ** 2
        return made

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
