"""Methods by name: every file of this package that defines one is found by itself."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pruneviz.methods.base import Card, Method, Wrapper

METHODS: dict[str, type[Method]] = {}
"""Classes by name, the seed methods first, then in the order of their papers, controls last."""


def list_methods() -> list[str]:
    """Names that :func:`get_method` takes, the seed methods first."""
    return list(METHODS)


def controls() -> list[str]:
    """Names of the controls: methods that are there to be beaten."""
    return [name for name, method in METHODS.items() if method.card.control]


def get_method(name: str, *, num_layers: int | None = None, **settings: Any) -> Method:
    """Build a method by name.

    Parameters
    ----------
    name : str
        One of :func:`list_methods`.
    num_layers : int, optional
        Decoder layers of the model. Published pruning layers are scaled to it, unless they are
        given.
    **settings
        Fields of the method, such as ``keep_ratio`` or ``keep_tokens``.

    Returns
    -------
    Method

    Raises
    ------
    ValueError
        On an unknown name, parameter or value; the message lists the valid ones.
    """
    method = METHODS.get(name) if isinstance(name, str) else None
    if method is None:
        raise ValueError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")
    valid = [f.name for f in fields(method)]
    unknown = sorted(set(settings) - set(valid))
    if unknown:
        raise ValueError(
            f"{method.title} has no parameter {', '.join(map(repr, unknown))}. "
            f"Its parameters: {', '.join(sorted(valid))}."
        )
    # Lists, as JSON and command lines give them, would make a frozen method unhashable.
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    if num_layers is None:
        return method(**settings)
    return method.for_depth(num_layers, **settings)


def register(method: type[Method]) -> type[Method]:
    """Offer a method by its name, everywhere that methods are offered; usable as a decorator.

    Methods in files of this package need no such call.

    Parameters
    ----------
    method : type
        A frozen dataclass that derives from :class:`~pruneviz.methods.base.BeforeLLM`,
        :class:`~pruneviz.methods.base.ScheduledMethod` or :class:`~pruneviz.methods.Method`, with
        a `name` and a `card`.

    Returns
    -------
    type
        The same.

    Raises
    ------
    ValueError
        If something is missing or the name is taken; the message says what.
    """
    problem = _problem(method)
    if problem:
        where = getattr(sys.modules.get(getattr(method, "__module__", "")), "__file__", None)
        named = getattr(method, "__name__", repr(method)) + (f" in {where}" if where else "")
        raise ValueError(f"{named} cannot be registered: {problem}.")
    METHODS[method.name] = method
    ordered = sorted(METHODS.values(), key=_place)
    METHODS.clear()
    METHODS.update((one.name, one) for one in ordered)
    return method


def unregister(name: str) -> None:
    """Take a method out again; raises ValueError if there is none of that name."""
    if METHODS.pop(name, None) is None:
        raise ValueError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")


def _problem(method: Any) -> str:
    """Why a class cannot be offered; empty if it can."""
    if not inspect.isclass(method) or not issubclass(method, Method):
        return "it does not derive from Method"
    if inspect.isabstract(method):
        return f"it lacks {', '.join(sorted(method.__abstractmethods__))}"
    name = getattr(method, "name", None)
    if not isinstance(name, str) or not name or name != name.lower() or " " in name:
        return "it needs a name in lower case without spaces"
    if not isinstance(getattr(method, "card", None), Card):
        return "it needs a card"
    if "__dataclass_fields__" not in vars(method) or not is_dataclass(method):
        return "it must be decorated by @dataclass(frozen=True, kw_only=True)"
    own = {field.name for field in fields(method)}
    lost = [option.field for option in method.card.options if option.field not in own]
    if lost:
        return (
            f"its card offers {', '.join(lost)}, which is no field of it ({', '.join(sorted(own))})"
        )
    defaults = {field.name: field.default for field in fields(method)}
    for option in method.card.options:
        default = defaults[option.field]
        if default is not None and option.read(str(default)) != default:
            return f"its default {option.field}={default!r} is not what its card allows"
    if METHODS.get(name, method) is not method:
        other = METHODS[name]
        return (
            f"the name {name!r} is taken by {other.__name__} of {other.__module__}; choose another"
        )
    return _unusable(method)


def _unusable(method: type[Method]) -> str:
    """Why the method cannot even be built as published; empty if it can."""
    try:
        method().stages()
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        return f"with its defaults it cannot be built ({error})"
    return ""


def _place(method: type[Method]) -> tuple[Any, ...]:
    card = method.card
    return card.control, card.place, card.arxiv or "~", method.name


def _found() -> Iterator[type[Method]]:
    """Methods defined in this package's own files; those made of others have no name of theirs."""
    for file in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if file.ispkg:
            continue
        try:
            module = import_module(f"pruneviz.methods.{file.name}")
        except Exception as error:
            error.add_note(f"The method file {file.name}.py in pruneviz/methods cannot be used.")
            raise
        for _, found in inspect.getmembers(module, inspect.isclass):
            own = found.__module__ == module.__name__
            if own and issubclass(found, Method) and not issubclass(found, Wrapper):
                yield found


for _method in _found():
    register(_method)
