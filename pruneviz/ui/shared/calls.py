"""Calls by hand, over plain HTTP: what has a default may be left out, as clients may do."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.components.api_component import Api
from gradio.utils import get_upload_folder

from pruneviz.ui.shared.streaming import StreamingBlocks

NOT_UPLOADED = (
    "The file was not uploaded here. It must be an uploaded file; with gradio_client: "
    "handle_file('picture.png')."
)

NOT_ITS_VALUES = "That is one of the page's own handlers, and takes other values."
NOT_FETCHED = "The picture could not be fetched from that address ({}). Upload it instead."


class LenientBlocks(StreamingBlocks):
    """Blocks whose endpoints fill in the last parameters where a call leaves them out.

    Gradio's own clients fill in defaults; a plain POST would be refused as soon as an endpoint
    gets one more parameter. What else is wrong with a call is said in a line that names neither
    the program's insides nor its folders.
    """

    def validate_inputs(self, block_fn: BlockFunction, inputs: list[Any]) -> None:
        """Add the defaults of missing parameters, then check as Gradio does.

        Raises
        ------
        gr.Error
            On a wrong number of values, or a file that was not uploaded.
        """
        if _for_programs(block_fn):
            problem = _fill(block_fn, inputs) or _foreign(inputs)
            if problem:
                raise gr.Error(problem, print_exception=False)
        try:
            super().validate_inputs(block_fn, inputs)
        except ValueError as error:  # one of the page's own, called by hand
            raise gr.Error(NOT_ITS_VALUES, print_exception=False) from error

    async def preprocess_data(self, block_fn: BlockFunction, *args: Any, **how: Any) -> list[Any]:
        """Fetch what a call names by its address, as Gradio does.

        Raises
        ------
        gr.Error
            If that cannot be had.
        """
        try:
            found: list[Any] = await super().preprocess_data(block_fn, *args, **how)
        except gr.Error:
            raise
        except Exception as error:  # of its clients' many kinds
            if not _for_programs(block_fn):
                raise
            raise gr.Error(NOT_FETCHED.format(error), print_exception=False) from error
        return found


def _for_programs(block_fn: BlockFunction) -> bool:
    """Whether an endpoint is none of the page's own."""
    blocks = block_fn.inputs
    return bool(block_fn.fn and blocks and all(isinstance(one, Api) for one in blocks))


def _fill(block_fn: BlockFunction, inputs: list[Any]) -> str:
    """Add defaults; gives what is wrong where that is not enough."""
    assert block_fn.fn is not None  # noqa: S101 - those without are not called
    parameters = list(inspect.signature(block_fn.fn).parameters.values())
    missing = parameters[len(inputs) :]
    if len(inputs) <= len(parameters) and all(one.default is not one.empty for one in missing):
        inputs.extend(one.default for one in missing)
        return ""
    names = ", ".join(one.name for one in parameters)
    return f"/{block_fn.api_name} takes {names}, in this order; {len(inputs)} values were sent."


def _foreign(inputs: list[Any]) -> str:
    """What is wrong with a file that Gradio would refuse in words of its own."""
    folder = Path(get_upload_folder()).resolve()
    for file in _files(inputs):
        path, meta = file.get("path"), file.get("meta")
        if not isinstance(meta, dict) or not isinstance(path, str | None):
            return NOT_UPLOADED
        if path and not path.startswith(("http://", "https://")):
            # Links are followed: what leads out of the folder was not uploaded either.
            inside = os.path.isabs(path) and "\0" not in path
            if not inside or not Path(path).resolve().is_relative_to(folder):
                return NOT_UPLOADED
    return ""


def _files(value: Any) -> Iterator[dict[str, Any]]:
    """Whatever Gradio may take for a file."""
    if isinstance(value, dict) and "meta" in value:
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from _files(part)
