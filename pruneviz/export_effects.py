"""What matters to an answer, as files: maps, a table, one record of everything."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pruneviz import render
from pruneviz.engine import Band, Blind, Comparison, Effects, Judgement, Restored

COLUMNS = (
    "part",
    "row",
    "column",
    "patches",
    "tokens",
    "fall_when_taken_away_nats",
    "method_score",
    "kept",
    "rise_when_given_back_nats",
)


@dataclass(frozen=True, eq=False)
class Findings:
    """All that was found out about one method on one question.

    Attributes
    ----------
    done : Comparison
        The pruned run beside the baseline.
    taken : Effects
        What taking each block away does.
    judgement : Judgement
        The method's scores beside it.
    given : Effects or None
        What giving each dropped block back does; None where that was not asked or cannot be.
    restored : Restored or None
        Which of them restore the answer; None where it was never lost.
    blind : Blind or None
        The answer without an image.
    band : Band or None
        Random patches in place of the method's.
    """

    done: Comparison
    taken: Effects
    judgement: Judgement
    given: Effects | None = None
    restored: Restored | None = None
    blind: Blind | None = None
    band: Band | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        parts: dict[str, Any] = {
            "judgement": self.judgement,
            "taken_away": self.taken,
            "given_back": self.given,
            "restored": self.restored,
            "no_image": self.blind,
            "random": self.band,
        }
        plain = {name: None if part is None else part.to_dict() for name, part in parts.items()}
        return {**self.done.to_dict(), **plain}


def effects_table(found: Findings) -> str:
    """A line for each block as CSV: its place, what it does, what the method thinks of it.

    ``tokens`` are counted from 0, and ``kept`` is how many of the block's patches are left after
    the last stage. Cells without a value are empty.
    """
    given = np.full(found.taken.num_visual, np.nan)
    if found.given is not None:
        given = found.given.per_token
    left = np.isin(np.arange(found.taken.num_visual), found.done.pruned.trace.kept)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    effects = zip(found.taken.blocks, found.taken.values, found.judgement.scores, strict=True)
    for block, value, score in effects:
        own = given[block.tokens]
        back = own[np.isfinite(own)]
        writer.writerow(
            [
                block.part,
                block.row,
                block.column,
                len(block.tokens),
                " ".join(map(str, block.tokens)),
                _shown(value),
                _shown(score),
                int(left[block.tokens].sum()),
                _shown(back[0] if len(back) else np.nan),
            ]
        )
    return text.getvalue()


def write_effects(folder: Path, image: Image.Image, found: Findings) -> list[Path]:
    """Write the record, the table and the maps; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "matters.json", folder / "matters.csv", folder / "taken_away.png"]
    text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    files[0].write_text(text + "\n", encoding="utf-8")
    files[1].write_text(effects_table(found), encoding="utf-8")
    grid, kept = found.done.grid, found.done.pruned.trace.kept
    render.effect_overlay(image, grid, found.taken.per_token, kept).save(files[2])
    maps = {"scores": _score_map(found)}
    if found.given is not None:
        maps["given_back"] = found.given.per_token
    for name, values in maps.items():
        files.append(folder / f"{name}.png")
        render.effect_overlay(image, grid, values, kept).save(files[-1])
    return files


def _score_map(found: Findings) -> np.ndarray:
    values = np.full(found.taken.num_visual, np.nan)
    for block, score in zip(found.taken.blocks, found.judgement.scores, strict=True):
        values[block.tokens] = score
    return values


def _shown(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""
