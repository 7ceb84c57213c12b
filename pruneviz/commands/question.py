"""A question, how it is pruned, and the session that it is asked in."""

from __future__ import annotations

import argparse

from pruneviz.commands.arguments import (
    add_budget_arguments,
    add_model_arguments,
    add_setting_arguments,
    build,
    read_setting,
)
from pruneviz.engine import Prepared, Session, read_image
from pruneviz.engine.budgets import CHECK_DEPTH
from pruneviz.methods import Method, Pinned, list_methods
from pruneviz.methods.ranges import read_ranges
from pruneviz.models import load_model


def add_question_arguments(parser: argparse.ArgumentParser) -> None:
    """What is asked, of which model, and how it is pruned."""
    add_asked_arguments(parser)
    names = ", ".join(list_methods())
    parser.add_argument("--method", default="transprune", help=f"one of {names}")
    add_budget_arguments(parser)
    add_setting_arguments(parser)
    add_model_arguments(parser)


def add_asked_arguments(parser: argparse.ArgumentParser) -> None:
    """The picture and the question."""
    parser.add_argument("image", help="image file")
    parser.add_argument("question", help="one that begins with a dash goes after ' -- '")


def load_session(args: argparse.Namespace) -> Session:
    """Load the model and say how its tokens are counted."""
    loaded = load_model(args.model, args.device, args.dtype, args.quantisation)
    return Session(loaded, args.newlines, args.positions)


def asked(args: argparse.Namespace) -> tuple[Session, Prepared]:
    """Read the image, then load the model and encode the question."""
    image = read_image(args.image)
    session = load_session(args)
    return session, session.prepare(image, args.question)


def start(args: argparse.Namespace) -> tuple[Session, Method, Prepared]:
    """Check the settings, load the model, encode the question."""
    settings = dict(read_setting(text) for text in args.set)
    pins = read_ranges(args.pin_keep), read_ranges(args.pin_drop), args.pin_extra
    Pinned(build(args, args.method, settings, None, CHECK_DEPTH), *pins)
    session, prepared = asked(args)
    num_visual = prepared.grid.num_tokens
    method = build(args, args.method, settings, num_visual, session.num_layers)
    seen = session.seen_for(prepared, method)
    return session, Pinned(method, *pins) if any(pins) else method, seen
