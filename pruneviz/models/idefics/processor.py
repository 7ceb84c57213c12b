"""Images and text for SmolVLM where torchvision or num2words is missing.

Both serve videos alone, but the family's own processor cannot be built without them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from PIL import Image

from pruneviz.models.core.still import TiledStills

AROUND = "<fake_token_around_image>"


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
