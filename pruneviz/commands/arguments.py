"""What commands take alike: a question, a budget, a model; and the method that they mean."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from pruneviz.methods import Method, at_compute, get_method
from pruneviz.methods.base import LARGEST
from pruneviz.methods.compute import check_compute
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.options import add_loading_arguments

WORDS = {"True": True, "False": False, "None": None}


def whole(text: str) -> int:
    """Read a whole number that nothing trips over.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none, or beyond what tensors count with.
    """
    try:
        number = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a whole number is needed, not {text[:40]!r}") from error
    if abs(number) > LARGEST:
        raise argparse.ArgumentTypeError(f"at most {LARGEST:,} is possible")
    return number


def between(what: str, least: int, most: int) -> Callable[[str], int]:
    """A function that reads a whole number of a range, and says in words where it is none.

    `what` names it in the message: "a port is a number".
    """

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{what} from {least} to {most}, not {text[:40]!r}")
        return number

    return read


def add_setting_arguments(parser: argparse.ArgumentParser) -> None:
    """How a method is set beyond its budget."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting of the method, such as alpha=0.3 or, a list, 'prune_layers=[2,5]'; "
        "may be given several times",
    )
    for name, what in (("keep", "kept"), ("drop", "dropped")):
        parser.add_argument(
            f"--pin-{name}",
            default="",
            metavar="TOKENS",
            help=f"visual tokens {what} by hand, such as 3,7-9 (counted from 0, row by row)",
        )
    parser.add_argument(
        "--pin-extra", type=whole, default=0, help="tokens kept beyond the method's own number"
    )


def add_budget_arguments(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """The three ways to say how much is kept, of which one may be given.

    `several` allows more than one keep ratio.
    """
    budget = parser.add_mutually_exclusive_group()
    more = {"action": "append", "default": []} if several else {}
    budget.add_argument(
        "--keep-ratio",
        type=float,
        help="share of the visual tokens kept, up to 1"
        + ("; may be given several times; default: each method's own" if several else ""),
        **more,  # type: ignore[arg-type]
    )
    budget.add_argument("--keep-tokens", type=whole, help="exact number of visual tokens kept")
    budget.add_argument(
        "--equal-compute",
        type=float,
        metavar="SHARE",
        help="visual tokens averaged over all decoder layers, as a share of all, up to 1",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say which model is loaded and how."""
    parser.add_argument("--model", default=EMBEDDED, help="embedded, a hub id or a folder")
    add_loading_arguments(parser)


def build(
    args: argparse.Namespace,
    name: str,
    settings: Mapping[str, Any],
    num_visual: int | None,
    num_layers: int,
) -> Method:
    """The method on the budget asked for.

    With `num_visual` None, before the prompt is known, an equal-compute budget is only checked.
    """
    own = {key: getattr(args, key) for key in ("keep_ratio", "keep_tokens")}
    own = {key: value for key, value in own.items() if value is not None}
    twice = settings.keys() & own
    if twice:
        key = min(twice)
        raise ValueError(f"Give --{key.replace('_', '-')} or --set {key}, not both.")
    if "num_layers" in settings:
        raise ValueError("num_layers cannot be set: it is the model's number of layers.")
    own = {**settings, **own}
    share = args.equal_compute
    if share is not None and num_visual is not None:
        return at_compute(name, share, num_visual=num_visual, num_layers=num_layers, **own)
    if share is not None:
        check_compute(share, own)
    return get_method(name, num_layers=num_layers, **own)


def read_setting(text: str) -> tuple[str, Any]:
    """Split ``name=value``; the value is read as Python or JSON writes it, else taken as text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(f"--set takes NAME=VALUE, not {text!r}.")
    if value in WORDS:
        return name, WORDS[value]
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
