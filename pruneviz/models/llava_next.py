"""The LLaVA-NeXT family: the whole image and tiles of it at a higher resolution."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, ClassVar

import torch
from transformers import LlavaNextForConditionalGeneration

from pruneviz.geometry import PatchGrid
from pruneviz.models.anyres import Layout
from pruneviz.models.core.vision import EncoderRecord, Handles, VisionRecord
from pruneviz.models.llava import LlavaAdapter


class LlavaNextAdapter(LlavaAdapter):
    """``LlavaNextForConditionalGeneration`` (LLaVA-1.6).

    Notes
    -----
    The newline that ends each row of tiles is a visual token, as in TransPrune's published code:
    it has no place on the image, counts towards N and may be dropped. ``newlines="text"`` of
    :func:`pruneviz.prune` makes it a token of the prompt like any word.
    """

    family: ClassVar[str] = "LLaVA-NeXT (LlavaNextForConditionalGeneration)"
    example: ClassVar[str] = "llava-hf/llava-v1.6-vicuna-7b-hf"
    encoders: ClassVar[tuple[str, ...]] = ("get_image_features",)
    """Methods of the inner model that encode."""

    @classmethod
    def matches(cls, model: Any) -> bool:
        """Whether it is a LLaVA-NeXT model."""
        return isinstance(model, LlavaNextForConditionalGeneration)

    def newline(self, model: Any) -> torch.Tensor | None:
        """The learned vector that is packed after each row of tiles."""
        newline: torch.Tensor = model.model.image_newline
        return newline

    def watch_vision(
        self, model: Any, keep: Callable[[EncoderRecord], None], layer: int | None = None
    ) -> Any:
        """Watch one layer of the tower, and which images its crops belong to."""

        def crops(record: EncoderRecord) -> None:
            if isinstance(record, VisionRecord):
                keep(self.packed(model, record, calls.name, calls.arguments))

        # First, since it may refuse the model or the layer.
        watching = super().watch_vision(model, crops, layer)
        calls = _Calls(model.model, self.encoders)
        return Handles(calls, watching)

    def packed(
        self, model: Any, record: VisionRecord, name: str, call: Mapping[str, Any]
    ) -> EncoderRecord:
        """The record of what is made of crops by the method `name`, called with these arguments.

        `call` has the shape of the pixels in their place.
        """
        return CropsRecord(record, self.layouts(model, call))

    def layouts(self, model: Any, call: Mapping[str, Any]) -> tuple[Layout, ...]:
        """Layout of each image that is encoded with these arguments."""
        return tuple(Layout.of(model, size) for size in sizes_of(call))

    def features(self, model: Any, inputs: Any) -> Any:
        """Projected and packed tokens of every image."""
        return model.model.get_image_features(
            pixel_values=inputs["pixel_values"], image_sizes=inputs["image_sizes"], return_dict=True
        ).pooler_output

    def patch_grid(self, processor: Any, model: Any, image_size: tuple[int, int]) -> PatchGrid:
        """The tiles' grid; the whole image's is its other part."""
        return Layout.of(model, image_size).grid(image_size)


@dataclass
class PackedRecord(EncoderRecord):
    """What is read of crops or frames that are put together with newlines.

    Attributes
    ----------
    crops : VisionRecord
        Of all of them.
    newlines : bool
        Whether newlines are visual tokens.
    """

    crops: VisionRecord
    newlines: bool = field(default=True, kw_only=True)

    @property
    def layer(self) -> int | None:
        """As of the crops."""
        return self.crops.layer

    def without_newlines(self) -> EncoderRecord:
        """The same, newlines left out of everything."""
        return replace(self, newlines=False)


@dataclass
class CropsRecord(PackedRecord):
    """What FoPru reads of images that were encoded as several crops.

    Attributes
    ----------
    layouts : tuple of Layout
        One for every image.

    Notes
    -----
    FoPru describes no crops. Here each crop's significance is its own, and tokens of all crops
    are ranked together. A newline among them ranks with the best token, so it is kept.
    """

    layouts: tuple[Layout, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Visual tokens of each image."""
        return tuple(int(self._counted(layout).sum()) for layout in self.layouts)

    @property
    def encoder_tokens(self) -> int:
        """Patches and CLS tokens of all crops of the first image."""
        return self.layouts[0].crops * self.crops.encoder_tokens

    @property
    def encoder_crops(self) -> int:
        """Crops of the first image."""
        return self.layouts[0].crops

    @property
    def blocks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The whole image's grid, then that of the tiles."""
        return tuple(self._blocks(layout) for layout in self.layouts)

    def _tile_grid(self, layout: Layout) -> tuple[int, int]:
        rows, columns = layout.tile_grid
        return rows, columns if self.newlines else max(0, columns - 1)

    def _counted(self, layout: Layout) -> torch.Tensor:
        """Which tokens of an image are visual ones, bool ``[tokens]``."""
        return (layout.source >= 0) | self.newlines

    def _blocks(self, layout: Layout) -> tuple[tuple[int, int], ...]:
        parts = tuple(p for p in (self.crops.grid, self._tile_grid(layout)) if all(p))
        count = int(self._counted(layout).sum())
        fits = sum(rows * columns for rows, columns in parts) == count
        return parts if fits else ((1, count),)

    def crops_of(self, images: slice = slice(None)) -> torch.Tensor:
        """The crop of each visual token; a newline is of the one that its row ends in."""
        found, first = [], 0
        for index, layout in enumerate(self.layouts):
            if index in range(len(self.layouts))[images]:
                found.append(first + layout.crop_of()[self._counted(layout)])
            first += layout.crops
        return torch.cat(found)

    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of some images' visual tokens, one after another, float32."""
        return self._packed(lambda crops: self.crops.scores(include_cls, crops), images)

    def received(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention from each crop's own CLS token, float32."""
        return self._packed(self.crops.received, images)

    def _packed(self, values_of: Callable[[slice], torch.Tensor], images: slice) -> torch.Tensor:
        """Values of crops' patches in the order of the images' visual tokens."""
        found, first = [], 0
        chosen = range(len(self.layouts))[images]
        for index, layout in enumerate(self.layouts):
            crops = slice(first, first + layout.crops)
            first = crops.stop
            if index in chosen:
                values = layout.gather(values_of(crops))
                found.append(values[self._counted(layout).to(values.device)])
        return torch.cat(found)


def sizes_of(call: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Width and height of each image that is encoded with these arguments."""
    sizes = torch.as_tensor(call.get("image_sizes", ())).tolist()
    return [(width, height) for height, width in sizes]


class _Calls:
    """Sees the arguments that images are encoded with; a forward hook would come too late.

    `generate` encodes images before the model's first forward, through the methods `names`.
    """

    def __init__(self, inner: Any, names: tuple[str, ...]) -> None:
        self._inner, self.name, self.arguments = inner, "", dict[str, Any]()
        self._methods = [(name, vars(inner).get(name), self._watch(name)) for name in names]

    def _watch(self, name: str) -> Any:
        original = getattr(self._inner, name)
        # Not the original's, which may be a wrapper of the user's own that names no argument.
        signature = inspect.signature(getattr(type(self._inner), name))

        # `generate` hands over what it finds in the signature, so it must stay the same.
        @wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(self._inner, *args, **kwargs).arguments
            # Pixels are large, and only their number is asked for.
            self.arguments = {
                key: getattr(value, "shape", None) if key.startswith("pixel_values") else value
                for key, value in given.items()
            }
            self.name = name
            return original(*args, **kwargs)

        setattr(self._inner, name, watched)
        return watched

    def remove(self) -> None:
        """Give the model back the methods that it had before."""
        for name, before, own in self._methods:
            if vars(self._inner).get(name) is not own:
                continue
            if before is None:
                delattr(self._inner, name)
            else:
                setattr(self._inner, name, before)
