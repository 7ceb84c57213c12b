"""What transformers calls a kind of model, and what it takes to load one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """One of transformers' model classes that a family handles.

    Attributes
    ----------
    title : str
        Its short name for people.
    model_class : type
        The class, a ``PreTrainedModel``.
    stand_in : type or None
        With ``from_pretrained``: a processor of pictures alone, for machines on which the
        architecture's own cannot be built.
    needs : tuple of str
        Packages that its own processor cannot be built without, beside torchvision.
    """

    title: str
    model_class: Any
    stand_in: Any = None
    needs: tuple[str, ...] = ()

    @property
    def model_type(self) -> str:
        """What a checkpoint's configuration calls it."""
        return str(self.model_class.config_class.model_type)
