"""One image and question, encoded: what every run on them starts from."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

from pruneviz.errors import InputError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.loading import LoadedModel
from pruneviz.models.core.vision import EncoderRecord

_Encoded = tuple[dict[str, Any], EncoderRecord | None, float]
"""What the model is fed, the encoder's record, and the seconds it took."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image and question, encoded.

    Attributes
    ----------
    image : PIL.Image.Image
        Upright RGB original.
    picture : str
        Key of its pixels, see :func:`~pruneviz.engine.images.picture_key`.
    question : str
        As asked.
    input_ids, visual_mask : torch.Tensor
        Prompt, ``[1, sequence]``.
    inputs : dict of str to Any
        What the model is fed: ``inputs_embeds`` ``[1, sequence, hidden]``, ``attention_mask``,
        and what else the family's :meth:`pruneviz.models.Adapter.embed` gives.
    vision : EncoderRecord or None
        For methods that read the encoder's attention.
    grid : PatchGrid
        Where each visual token lies.
    further : tuple of EncoderRecord
        Of more encoder layers, for methods that read several.
    vision_seconds : float
        Time the encoding took.
    hints : tuple of str
        Why this model may not know the answer, if it can tell.
    newlines : str
        ``"text"`` where `grid` leaves out newlines; `visual_mask` marks them either way.
    positions : str or None
        Position mode of pruned runs; None = the method's own.
    """

    image: Image.Image
    picture: str
    question: str
    input_ids: torch.Tensor
    visual_mask: torch.Tensor
    inputs: dict[str, Any]
    vision: EncoderRecord | None
    further: tuple[EncoderRecord, ...] = field(default=(), kw_only=True)
    grid: PatchGrid
    vision_seconds: float
    hints: tuple[str, ...] = ()
    newlines: str = "visual"
    positions: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others on the same model: picture and question."""
        return self.picture, self.question


def tidied(question: str) -> str:
    """A question without needless spaces, line by line: a prompt's line breaks are part of it."""
    return "\n".join(" ".join(line.split()) for line in question.strip().splitlines())


def encode(
    loaded: LoadedModel,
    image: Image.Image,
    picture: str,
    question: str,
    newlines: str = "visual",
    positions: str | None = None,
    before: Prepared | None = None,
) -> Prepared:
    """Encode an upright RGB image and a question; the parameters are those of the result.

    With `before`, another question about the same image, the image is not encoded again where
    that question's embeddings hold all that the encoder gave.

    Raises
    ------
    InputError
        If both together are longer than what the model reads.
    """
    inputs = _inputs(loaded, image, question)
    _check_length(loaded, inputs["input_ids"].shape[1])
    encoded, record, seconds = _known(loaded, inputs, before) or _timed(loaded, inputs)
    visual_mask = loaded.adapter.visual_mask(loaded.model, inputs["input_ids"])
    embeds, known = encoded["inputs_embeds"], loaded.knowledge
    grid = loaded.adapter.patch_grid(loaded.processor, loaded.model, image.size)
    leaves_out = newlines == "text" and loaded.adapter.newline(loaded.model) is not None
    return Prepared(
        image=image if before is None else before.image,
        picture=picture,
        question=question,
        input_ids=inputs["input_ids"],
        visual_mask=visual_mask,
        inputs=encoded,
        vision=record,
        grid=grid.without_placeless() if leaves_out else grid,
        vision_seconds=seconds,
        hints=(known.hints(question, embeds[visual_mask]) if known else ()) + loaded.notes,
        newlines="text" if leaves_out else "visual",
        positions=positions,
    )


def _timed(loaded: LoadedModel, inputs: Any) -> _Encoded:
    start = time.perf_counter()
    encoded, record = _embed(loaded, inputs)
    _synchronise(loaded.model.device)
    return encoded, record, time.perf_counter() - start


def _known(loaded: LoadedModel, inputs: Any, before: Prepared | None) -> _Encoded | None:
    """What the encoder gave for the image when an earlier question was asked about it."""
    if before is None:
        return None
    rows = before.inputs["inputs_embeds"][before.visual_mask]
    encoded = loaded.adapter.embed_again(loaded.model, inputs, rows)
    return None if encoded is None else (encoded, before.vision, before.vision_seconds)


def encoder_record(loaded: LoadedModel, prepared: Prepared, index: int) -> EncoderRecord | None:
    """Encode the image again and record the encoder layer of this index."""
    inputs = _inputs(loaded, prepared.image, prepared.question)
    return _embed(loaded, inputs, index + 1)[1]


def _inputs(loaded: LoadedModel, image: Image.Image, question: str) -> Any:
    return loaded.adapter.prepare(loaded.processor, loaded.model, seen(loaded, image), question)


def seen(loaded: LoadedModel, image: Image.Image) -> Image.Image:
    """The part of an image of which a processor that cuts its middle out can show anything.

    Such a processor first brings the shorter side to the model's, and a strip becomes a thousand
    times as large as what is cut out of it.
    """
    processor = getattr(loaded.processor, "image_processor", None)
    cuts = getattr(processor, "do_center_crop", False)
    shortest = dict(getattr(processor, "size", None) or {}).get("shortest_edge")
    if not cuts or not shortest:
        return image
    wanted = dict(processor.crop_size).values() if processor is not None else ()
    # Four times what is seen: what lies at the edges counts for the pixels beside it.
    least = min(image.size)
    most = 4 * least * math.ceil(max(filter(None, wanted)) / shortest)
    # As odd or even as the side, or the middle would lie between two pixels.
    width, height = (min(side, most + (side - most) % 2) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _embed(
    loaded: LoadedModel, inputs: Any, encoder_layer: int | None = None
) -> tuple[dict[str, Any], EncoderRecord | None]:
    """What `embed` gives, and what one layer of the encoder left."""
    record: list[EncoderRecord] = []
    handle = loaded.adapter.watch_vision(loaded.model, record.append, encoder_layer)
    try:
        encoded = loaded.adapter.embed(loaded.model, inputs)
    finally:
        handle.remove()
    return encoded, record[-1] if record else None


def _check_length(loaded: LoadedModel, length: int) -> None:
    limit = loaded.adapter.decoder(loaded.model).config.max_position_embeddings
    if length >= limit:
        raise InputError(
            f"Image and question take {length} tokens, but the model reads at most {limit}. "
            "Shorten the question."
        )


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
