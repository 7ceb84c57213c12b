"""Which method at which budget a run of lmms-eval is of, from its ``--model_args``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pruneviz.engine import Budget
from pruneviz.engine.budgets import Kind
from pruneviz.errors import InputError
from pruneviz.evaluation.plan import UNPRUNED, Arm
from pruneviz.methods import Method, get_method, list_methods

BUDGETS: Mapping[str, Kind] = {"keep_ratio": "final", "equal_compute": "compute"}
"""Model arguments that are a share, and the kind of budget that each is."""


@dataclass(frozen=True)
class Chosen(Arm):
    """A method as a run of lmms-eval names it, which may have its own or a counted budget.

    Attributes
    ----------
    keep_tokens : int or None
        Visual tokens left after the last stage, in place of a share.
    """

    keep_tokens: int | None = None

    @property
    def pruned(self) -> bool:
        """Whether anything is removed."""
        return self.method != UNPRUNED

    def build(self, num_visual: int, num_layers: int) -> Method:
        """The method for a prompt of so many visual tokens; as ``Arm.build``."""
        if self.budget is not None:
            return super().build(num_visual, num_layers)
        settings = dict(self.settings)
        if self.keep_tokens is not None:
            settings["keep_tokens"] = self.keep_tokens
        return get_method(self.method, num_layers=num_layers, **settings)

    def described(self) -> dict[str, Any]:
        """The fields of a row that say which method at which budget it is."""
        return {**super().described(), "keep_tokens": self.keep_tokens} | (
            {} if self.budget or not self.pruned else {"budget": None, "budget_kind": "tokens"}
        )


def choose(method: str = UNPRUNED, **settings: Any) -> Chosen:
    """The method that model arguments name, checked.

    Parameters
    ----------
    method : str
        Registry name, or ``"none"``.
    **settings
        At most one of ``keep_ratio``, ``equal_compute`` (shares) and ``keep_tokens`` (a number);
        the others are fields of the method. Without a budget it is the method's own.

    Raises
    ------
    InputError
        On an unknown method or setting, several budgets, or settings without a method.
    """
    if method != UNPRUNED and method not in list_methods():
        known = ", ".join((UNPRUNED, *list_methods()))
        raise InputError(f"Unknown method {method!r} in --model_args. Methods: {known}.")
    given = [name for name in (*BUDGETS, "keep_tokens") if settings.get(name) is not None]
    if len(given) > 1:
        raise InputError(f"Give one budget in --model_args, not {' and '.join(given)}.")
    if "num_layers" in settings:
        raise InputError("num_layers cannot be set: it is the model's number of layers.")
    if method == UNPRUNED and settings:
        raise InputError(
            f"{', '.join(settings)} in --model_args needs a method, such as method=fopru."
        )
    budget = next(
        (Budget(settings.pop(name), kind) for name, kind in BUDGETS.items() if name in given), None
    )
    tokens = _value(settings.pop("keep_tokens", None))
    own = tuple(sorted((name, _value(value)) for name, value in settings.items()))
    chosen = Chosen(method, budget, None, own, tokens)
    try:
        chosen.check()
    except (ValueError, TypeError) as error:
        raise InputError(f"--model_args: {error}") from error
    return chosen


def _value(value: Any) -> Any:
    """A setting as a field holds it; lists come as text from the command line, -1 as -1.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise InputError(f"{value!r} in --model_args is no list.") from error
    return tuple(value) if isinstance(value, list) else value


def whole(value: Any, name: str, auto: int | None = None) -> int:
    """A number from 1 on, or what ``auto`` stands for; raises InputError on anything else."""
    if value == "auto" and auto is not None:
        return auto
    value = _value(value)
    if isinstance(value, bool) or not str(value).isdecimal() or int(value) < 1:
        also = ", or auto" if auto is not None else ""
        raise InputError(f"{name} must be a whole number from 1 on{also}, not {value!r}.")
    return int(value)
