"""Blocks of patches: what one intervention takes away or gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pruneviz.errors import InputError
from pruneviz.geometry import PatchGrid

SIDES = (1, 2, 4, 8, 16, 32, 64)
"""Sides of square blocks, in patches, of which one is chosen where none is asked for."""


@dataclass(frozen=True, eq=False)
class Block:
    """Patches that are taken away, or given back, together.

    Attributes
    ----------
    part : int
        Which of the grid's parts it lies in, see :class:`~pruneviz.geometry.PatchGrid`.
    row, column : int
        Of its upper left patch in that part, from 0.
    tokens : np.ndarray
        Int64, ascending: its visual tokens.
    """

    part: int
    row: int
    column: int
    tokens: np.ndarray


def blocks_of(grid: PatchGrid, side: int, among: np.ndarray | None = None) -> list[Block]:
    """Squares of patches that cover all parts of a grid, in the order of their first tokens.

    Parameters
    ----------
    grid : PatchGrid
        Where each token lies; tokens with no place, such as newlines, are in no block.
    side : int
        Patches along a side; blocks at the right and lower edges may be smaller.
    among : np.ndarray, optional
        Int64: only these tokens count; a block without any is left out. Default: all.

    Raises
    ------
    InputError
        If `side` is no whole number from 1.
    """
    if isinstance(side, bool) or not isinstance(side, int) or side < 1:
        raise InputError(f"A block's side must be a whole number of patches from 1, not {side!r}.")
    counted = np.ones(grid.num_tokens, dtype=bool)
    if among is not None:
        counted[:] = False
        counted[among] = True
    found: list[Block] = []
    for number, part in enumerate(grid.parts):
        tokens = np.flatnonzero((part.token_cell >= 0) & counted)
        rows, columns = np.divmod(part.token_cell[tokens], part.columns)
        across = -(-part.columns // side)
        home = rows // side * across + columns // side
        for place in np.unique(home):
            row, column = divmod(int(place), across)
            found.append(Block(number, row * side, column * side, tokens[home == place]))
    return sorted(found, key=lambda block: int(block.tokens[0]))


def fitting(
    grid: PatchGrid, side: int | None, most: int, among: np.ndarray | None = None
) -> tuple[int, list[Block]]:
    """A block's side and the blocks, at most so many: of the side asked for, else the finest.

    Raises
    ------
    InputError
        If they are more, or there is none.
    """
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError(f"max_forwards must be a whole number from 1, not {most!r}.")
    for tried in SIDES if side is None else (side,):
        blocks = blocks_of(grid, tried, among)
        if not blocks:
            raise InputError("There is no patch that could be tried.")
        if len(blocks) <= most:
            return tried, blocks
    finest = next((s for s in SIDES if len(blocks_of(grid, s, among)) <= most), None)
    advice = f"Take blocks of {finest} x {finest}, or allow" if finest else "Allow"
    raise InputError(
        f"Blocks of {tried} x {tried} patches take {len(blocks)} forwards, more than the {most} "
        f"that are allowed (max_forwards). {advice} {len(blocks)}."
    )
