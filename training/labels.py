"""What every patch of a picture shows, from the drawn pixels or from boxes alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pruneviz.scenes.scene import Scene
from pruneviz.scenes.vocabulary import CARD, CARD_TEXTS, CLASS_INDEX, CLASSES, COLOURS

GRID = 16
BACKGROUND = 0
CARD_LABEL = len(CLASSES) + 1
NUM_LABELS = len(CLASSES) + 2
TEXT_INDEX = {text: i + 1 for i, text in enumerate(CARD_TEXTS)}
COLOUR_INDEX = {name: i + 1 for i, name in enumerate(COLOURS)}
# A patch belongs to a thing that covers at least this share of it.
_COVER = 0.3


@dataclass(frozen=True)
class PatchLabels:
    """Labels of all patches, row by row; each is an integer array of shape (GRID * GRID,).

    Attributes
    ----------
    kind : ndarray
        0 background, ``1 + class index``, or :data:`CARD_LABEL`.
    text : ndarray
        0, or ``1 +`` the index of the card's text.
    colour : ndarray
        0, or ``1 +`` the index of the card's colour.
    centre : ndarray
        1 at the one patch that stands for the middle of a thing, else 0.
    """

    kind: NDArray[np.int64]
    text: NDArray[np.int64]
    colour: NDArray[np.int64]
    centre: NDArray[np.int64]


def owners_from_pixels(owner: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Reduce a map of pixel owners to one owner a patch.

    Parameters
    ----------
    owner : ndarray of uint8, shape (side, side)
        0 for the background, ``i + 1`` for thing ``i``; the side is a multiple of ``GRID``.

    Returns
    -------
    ndarray of int64, shape (GRID * GRID,)
        The thing that covers most of the patch, or 0.
    """
    patch = owner.shape[0] // GRID
    tiles = owner.reshape(GRID, patch, GRID, patch).transpose(0, 2, 1, 3).reshape(GRID * GRID, -1)
    count = int(owner.max()) + 1
    share = np.stack([(tiles == index).mean(axis=1) for index in range(count)], axis=1)
    share[:, 0] = 0
    best = share.argmax(axis=1)
    return np.where(share.max(axis=1) >= _COVER, best, 0)


def owners_from_boxes(scene: Scene) -> NDArray[np.int64]:
    """Estimate each patch's owner without drawing: ellipses for objects, squares for cards.

    Parameters
    ----------
    scene : Scene
        The things and their boxes.

    Returns
    -------
    ndarray of int64, shape (GRID * GRID,)
        Like :func:`owners_from_pixels`.
    """
    axis = (np.arange(GRID) + 0.5) / GRID
    owner = np.zeros((GRID, GRID), dtype=np.int64)
    for index, item in enumerate(scene.items):
        dx = np.abs(axis - item.x)[None, :] / (0.46 * item.size)
        dy = np.abs(axis - item.y)[:, None] / (0.46 * item.size)
        inside = (np.maximum(dx, dy) if item.name == CARD else np.hypot(dx, dy)) <= 1
        owner[inside] = index + 1
    return owner.reshape(-1)


def label_patches(scene: Scene, owner: NDArray[np.int64]) -> PatchLabels:
    """Label every patch.

    Parameters
    ----------
    scene : Scene
        The truth.
    owner : ndarray of int64, shape (GRID * GRID,)
        From :func:`owners_from_pixels` or :func:`owners_from_boxes`.

    Returns
    -------
    PatchLabels
        Kinds, texts, colours and centres.
    """
    kinds, texts, colours = [BACKGROUND], [0], [0]
    for item in scene.items:
        kinds.append(CARD_LABEL if item.name == CARD else CLASS_INDEX[item.name] + 1)
        texts.append(TEXT_INDEX.get(item.text, 0))
        colours.append(COLOUR_INDEX.get(item.colour, 0))
    centre = np.zeros(GRID * GRID, dtype=np.int64)
    rows, columns = np.divmod(np.arange(GRID * GRID), GRID)
    for index, item in enumerate(scene.items):
        far = np.hypot((columns + 0.5) / GRID - item.x, (rows + 0.5) / GRID - item.y)
        far = np.where(owner == index + 1, far, np.inf)
        if np.isfinite(far.min()):
            centre[far.argmin()] = 1
    kind, text, colour = (np.array(v, dtype=np.int64)[owner] for v in (kinds, texts, colours))
    return PatchLabels(kind, text, colour, centre)
