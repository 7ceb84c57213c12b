"""One budget for several methods: an equal number of patches at the end, or equal compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pruneviz.errors import InputError
from pruneviz.methods import OutOfReachError, at_compute, get_method, stage_counts
from pruneviz.methods.base import Method
from pruneviz.methods.base.checks import is_finite

Kind = Literal["final", "compute"]
CHECK_DEPTH = 1_000
"""Deep enough for any schedule: settings are checked before a model is loaded."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Budget:
    """What every method may spend.

    Attributes
    ----------
    share : float
        In (0, 1].
    kind : {"final", "compute"}
        What is shared out: the visual tokens left after the last stage (the final keep ratio),
        or the visual tokens averaged over all decoder layers, to which the computed work is
        roughly proportional. Both as a share of the full count.

    Raises
    ------
    InputError
        On an unknown kind or a share outside (0, 1].
    """

    share: float
    kind: Kind = "final"

    def __post_init__(self) -> None:
        """Check both."""
        if self.kind not in KINDS:
            raise InputError(
                f"The kind of budget must be one of {', '.join(KINDS)}, not {self.kind!r}."
            )
        number = isinstance(self.share, int | float) and not isinstance(self.share, bool)
        if not number or not is_finite(self.share) or not 0.0 < self.share <= 1.0:
            raise InputError(f"The budget must be above 0 and up to 1, not {self.share!r}.")


def fit(name: str, budget: Budget, num_visual: int, num_layers: int, **settings: Any) -> Method:
    """Build a method that meets a budget, without running the model.

    Parameters
    ----------
    name : str
        Registry name.
    budget : Budget
        ``"compute"`` is met by :func:`~pruneviz.methods.at_compute`.
    num_visual, num_layers : int
        Visual tokens of the image, decoder layers of the model.
    **settings
        Further fields of the method.

    Returns
    -------
    Method
        With a ``keep_ratio``.

    Raises
    ------
    OutOfReachError
        Where no keep ratio of the method meets the budget.
    ValueError
        On an unknown method or setting.
    """
    if budget.kind == "compute":
        return at_compute(
            name, budget.share, num_visual=num_visual, num_layers=num_layers, **settings
        )
    method = get_method(name, num_layers=num_layers, keep_ratio=budget.share, **settings)
    try:
        stage_counts(method, num_visual)
    except ValueError as error:
        raise OutOfReachError(str(error)) from error
    return method
