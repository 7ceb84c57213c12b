"""What a pruned (or observed) run did: frozen records of NumPy arrays and numbers.

A trace knows no model. It saves to JSON (readable, complete) or NPZ (compact) and back.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1


@dataclass(frozen=True, eq=False)
class StageTrace:
    """One pruning step.

    Attributes
    ----------
    layer : int
        1-based decoder layer after which tokens were dropped; 0 = before the LLM.
    method : str
        Registry name of the method that decided.
    alive, kept : np.ndarray
        Int64, ascending indices among the original visual tokens, before and after.
    scores : np.ndarray
        Float32, one per `alive`: what the choice was made by. The largest are kept, unless the
        method merges or divides its budget over parts of the picture (HoloV).
    components : dict of str to np.ndarray
        Float32, one per `alive`: the terms of the score as they entered it.
    notes : tuple of str
        Anything the reader must know, such as a fallback that was taken.
    into : np.ndarray or None
        Where tokens were merged: int64, one per `alive`, the kept token that each went into (a
        kept one into itself); -1 where it is lost or went into one that stands for no patch.
    extra : int
        Visual tokens after this stage that stand for no patch, such as the encoder's CLS token.
    """

    layer: int
    method: str
    alive: np.ndarray
    kept: np.ndarray
    scores: np.ndarray
    components: dict[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    into: np.ndarray | None = None
    extra: int = 0

    @property
    def dropped(self) -> np.ndarray:
        """Indices that fell at this stage, ascending, int64."""
        return np.setdiff1d(self.alive, self.kept, assume_unique=True)

    @property
    def cut(self) -> float:
        """Lowest score among the kept tokens; NaN where none was kept."""
        return self.cut_without(())

    def cut_without(self, tokens: Sequence[int]) -> float:
        """Lowest score among the kept tokens other than `tokens`; NaN where there is none."""
        counted = np.setdiff1d(self.kept, np.asarray(tokens, dtype=np.int64))
        kept = self.scores[np.isin(self.alive, counted)]
        return float(kept.min()) if kept.size else float("nan")

    def ranked(self, tokens: np.ndarray) -> np.ndarray:
        """`tokens`, all of them alive here, by falling score."""
        scores = self.scores[np.searchsorted(self.alive, tokens)]
        return tokens[np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")]


@dataclass(frozen=True, eq=False)
class Trace:
    """One sample's prefill.

    Attributes
    ----------
    method : str
        Registry name; ``"baseline"`` for an unpruned run.
    parameters : dict
        The method's fields, JSON-serialisable.
    positions : str
        ``"renumber"``, ``"keep"`` or, where stages differ, ``"mixed"``.
    num_visual : int
        Visual tokens before any pruning.
    num_text : int
        All other real tokens of the prompt (padding not counted).
    stages : tuple of StageTrace
        In the order they ran.
    tokens_per_layer : tuple of int
        Visual tokens seen by each decoder layer.
    kv_lengths : tuple of int
        Sequence length of each decoder layer's cache after the prefill, padding included.
        Where the forward ran without a cache: the length that layer processed.
    signals : dict of str to np.ndarray
        Recorded per layer on request: ``"ttv"``, ``"iga"``, ``"residual"``, each float32
        ``[layers, num_visual]``, NaN where a token was no longer alive.
    shares : dict of str to tuple of int
        Of signals that hold shares of a softmax (``"ttv"``): how many tokens that ran over in each
        layer.
    newlines : str
        ``"visual"``, or ``"text"`` where newlines between tiles are no visual tokens here.
    """

    method: str
    parameters: dict[str, Any]
    positions: str
    num_visual: int
    num_text: int
    stages: tuple[StageTrace, ...]
    tokens_per_layer: tuple[int, ...]
    kv_lengths: tuple[int, ...]
    signals: dict[str, np.ndarray] = field(default_factory=dict)
    shares: dict[str, tuple[int, ...]] = field(default_factory=dict)
    newlines: str = "visual"

    @property
    def kept(self) -> np.ndarray:
        """Original indices of the visual tokens left after the last stage, int64."""
        return self.stages[-1].kept if self.stages else np.arange(self.num_visual)

    @property
    def left(self) -> int:
        """Visual tokens left after the last stage, those that stand for no patch included."""
        return len(self.kept) + (self.stages[-1].extra if self.stages else 0)

    @property
    def final_keep_ratio(self) -> float:
        """Visual tokens left after the last stage, as a share (1 where there are none)."""
        return self.left / self.num_visual if self.num_visual else 1.0

    def relative(self, name: str) -> np.ndarray:
        """A signal in a form that can be compared between runs: float32 ``[layers, num_visual]``.

        A share of a softmax is larger the fewer tokens there are to share with, so in a pruned run
        those that are left would seem to change more. Here it is told relative to an even share:
        times the tokens that the softmax ran over. Other signals are as they were recorded.
        """
        values, sizes = self.signals[name], self.shares.get(name)
        if sizes is None:
            return values
        return values * np.asarray(sizes, dtype=np.float32)[:, None]

    @property
    def merged_into(self) -> np.ndarray:
        """Int64 ``[num_visual]``: the token that holds what each one was in the end.

        Its own index where it was kept, -1 where it is lost.
        """
        holder = np.arange(self.num_visual)
        for stage in self.stages:
            follow = np.full(self.num_visual + 1, -1, dtype=np.int64)
            follow[stage.kept] = stage.kept
            if stage.into is not None:
                follow[stage.alive] = stage.into
            holder = follow[holder]
        return holder

    @property
    def has_groups(self) -> bool:
        """Whether any token that is left holds more patches than its own."""
        holders = self.merged_into
        return bool(np.any((holders >= 0) & (holders != np.arange(self.num_visual))))

    @property
    def layer_average(self) -> float:
        """Visual tokens per decoder layer, averaged."""
        return float(np.mean(self.tokens_per_layer)) if self.tokens_per_layer else 0.0

    @property
    def dropped_at(self) -> np.ndarray:
        """Int64 ``[num_visual]``: stage index at which each token fell, -1 if it stayed."""
        stage_of = np.full(self.num_visual, -1, dtype=np.int64)
        for number, stage in enumerate(self.stages):
            stage_of[stage.dropped] = number
        return stage_of

    @property
    def keep_order(self) -> np.ndarray:
        """All tokens, the one that would be kept longest first: int64 ``[num_visual]``.

        Those kept to the end by their last score, then stage by stage those that fell late before
        those that fell early. Of a pinned run, everything that reached the last stage is ranked
        by its score there, so that a pin alone gives no rank.
        """
        if not self.stages:
            return np.arange(self.num_visual)
        last = self.stages[-1]
        first = [last.alive] if self.method == "pinned" else [last.kept, last.dropped]
        parts = [last.ranked(tokens) for tokens in first]
        parts.extend(stage.ranked(stage.dropped) for stage in self.stages[-2::-1])
        return np.concatenate(parts).astype(np.int64)

    def pins(self, kind: str) -> tuple[int, ...]:
        """Tokens pinned by hand, `kind` ``"keep"`` or ``"drop"``; none in an unpinned run."""
        return tuple(self.parameters[kind]) if self.method == "pinned" else ()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, ready for JSON (NaN becomes None).

        ``signals`` are as they were recorded, ``signals_relative_to_uniform`` those of them that
        are shares, see :meth:`relative`.
        """
        relative = {name: self.relative(name) for name in self.shares}
        plain = _plain(asdict(self))
        return {"format": FORMAT, **plain, "signals_relative_to_uniform": _plain(relative)}

    def to_json(self, path: str | Path) -> None:
        """Write the whole trace as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), allow_nan=False), encoding="utf-8")

    def to_npz(self, path: str | Path) -> None:
        """Write the whole trace as a compressed NPZ file."""
        arrays: dict[str, np.ndarray] = {f"signals/{k}": v for k, v in self.signals.items()}
        for number, stage in enumerate(self.stages):
            head = f"stages/{number}/"
            arrays |= {head + name: getattr(stage, name) for name in ("alive", "kept", "scores")}
            arrays |= {f"{head}components/{k}": v for k, v in stage.components.items()}
            if stage.into is not None:
                arrays[f"{head}into"] = stage.into
        header = self.to_dict() | {"signals": {}, "signals_relative_to_uniform": {}}
        for stage_dict in header["stages"]:
            stage_dict |= {"alive": [], "kept": [], "scores": [], "components": {}, "into": None}
        # Through an open file: NumPy would append .npz to a bare name.
        with Path(path).open("wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Trace:
        """Inverse of :meth:`to_dict`.

        Raises
        ------
        ValueError
            If the data is not a trace of a known format.
        """
        found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
        if found != FORMAT:
            raise ValueError(f"Not a trace of format {FORMAT}: found {found!r}.")
        try:
            added = {"newlines", "shares"}
            values = {f.name: data[f.name] for f in fields(cls) if f.name not in added}
            values["newlines"] = str(data.get("newlines", "visual"))
            values["shares"] = {k: tuple(v) for k, v in data.get("shares", {}).items()}
            values["stages"] = tuple(_stage(stage) for stage in values["stages"])
            values["signals"] = {k: _floats(v) for k, v in values["signals"].items()}
            for name in ("tokens_per_layer", "kv_lengths"):
                values[name] = tuple(values[name])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"The trace is incomplete or damaged: {error!r}.") from error
        return cls(**values)

    @classmethod
    def from_json(cls, path: str | Path) -> Trace:
        """Read a trace written by :meth:`to_json`."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))

    @classmethod
    def from_npz(cls, path: str | Path) -> Trace:
        """Read a trace written by :meth:`to_npz`; nothing in the file is executed."""
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as arrays:
                return cls.from_dict(_merged(arrays))
        except (EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"Not a trace, or a damaged one: {error}") from error


def _merged(arrays: Any) -> dict[str, Any]:
    """Put an NPZ file's arrays back into their places in the header."""
    data: dict[str, Any] = json.loads(str(arrays["header"]))
    for name in arrays.files:
        parts = name.split("/")
        if parts[0] == "signals":
            data["signals"][parts[1]] = arrays[name]
        elif parts[0] == "stages" and len(parts) == 3:
            data["stages"][int(parts[1])][parts[2]] = arrays[name]
        elif parts[0] == "stages":
            data["stages"][int(parts[1])]["components"][parts[3]] = arrays[name]
    return data


def _stage(data: Mapping[str, Any]) -> StageTrace:
    return StageTrace(
        layer=data["layer"],
        method=data["method"],
        alive=np.asarray(data["alive"], dtype=np.int64),
        kept=np.asarray(data["kept"], dtype=np.int64),
        scores=_floats(data["scores"]),
        components={k: _floats(v) for k, v in data["components"].items()},
        notes=tuple(data["notes"]),
        into=None if data.get("into") is None else np.asarray(data["into"], dtype=np.int64),
        extra=int(data.get("extra", 0)),
    )


def _floats(values: Any) -> np.ndarray:
    # None stands for NaN in JSON; NumPy turns it into NaN when asked for floats.
    return np.asarray(values, dtype=np.float32)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, np.generic):
        return value.item()
    return value
