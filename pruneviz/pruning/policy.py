"""What a run does to the visual tokens: nothing but look, or remove them by a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pruneviz.methods.base import Method, Needs, Stage
from pruneviz.models.core.decoder import Decoder


@dataclass(frozen=True, eq=False)
class PlannedStage:
    """One stage of a run.

    Attributes
    ----------
    method : Method
        What chooses.
    stage : Stage
        Which of its stages it is.
    positions : str
        ``"renumber"`` or ``"keep"``: how the tokens that stay are counted from here on.
    """

    method: Method
    stage: Stage
    positions: str

    @property
    def name(self) -> str:
        """Of the method that decides, which may be a member of the one that was given."""
        return self.method.name_at(self.stage)

    @property
    def layer(self) -> int:
        """After which layer, from 1; 0 = before the LLM.

        So it is also the index, from 0, of the first layer that sees fewer tokens.
        """
        return self.stage.layer


@dataclass(frozen=True, eq=False)
class Policy:
    """What a run does to the visual tokens.

    Attributes
    ----------
    name, parameters
        Method and settings as a trace tells them.
    prunes : bool
        Whether tokens may go; only then can a way of running the model be wrong.
    stages : tuple of PlannedStage
        Where they go, in order.
    needs : Needs
        What that takes.
    positions : str
        Position mode, for a trace in which no stage ran.
    batched : bool
        Whether rows of a batch are scored together.
    apart : bool
        Whether equal rows are chosen for each by itself.
    """

    name: str
    parameters: dict[str, Any]
    prunes: bool
    stages: tuple[PlannedStage, ...]
    needs: Needs
    positions: str
    batched: bool = False
    apart: bool = False

    @classmethod
    def observing(cls) -> Policy:
        """Every token stays."""
        return cls(
            name="baseline",
            parameters={},
            prunes=False,
            stages=(),
            needs=Needs(),
            positions="keep",
        )

    @classmethod
    def pruning(cls, method: Method, decoder: Decoder, positions: str | None) -> Policy:
        """A method chooses which tokens go; `positions` overrides its position mode.

        Raises
        ------
        ValueError
            If the method does not fit the decoder's depth.
        """
        # With three positions a token, closing gaps would undo the picture's two dimensions.
        override = positions or ("keep" if decoder.multimodal_rope else None)
        stages = tuple(
            PlannedStage(method, stage, override or method.positions_at(stage))
            for stage in method.plan(decoder.num_layers)
        )
        return cls(
            name=method.name,
            parameters=method.parameters(),
            prunes=True,
            stages=stages,
            needs=method.needs,
            positions=override or method.positions,
            batched=method.batched,
            apart=method.apart,
        )
