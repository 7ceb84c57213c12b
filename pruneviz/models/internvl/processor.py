"""Images and text for InternVL where torchvision is missing, which only its videos need."""

from __future__ import annotations

from typing import Any, ClassVar

from PIL import Image

from pruneviz.models.core.still import TiledStills


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
