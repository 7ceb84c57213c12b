"""Calls by hand, over plain HTTP: what has a default may be left out, as clients may do."""

from __future__ import annotations

import inspect
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.components.api_component import Api


class LenientBlocks(gr.Blocks):
    """Blocks whose endpoints fill in the last parameters where a call leaves them out.

    Gradio's own clients fill in defaults; a plain POST would be refused as soon as an endpoint
    gets one more parameter.
    """

    def validate_inputs(self, block_fn: BlockFunction, inputs: list[Any]) -> None:
        """Add the defaults of missing parameters, then check as Gradio does."""
        missing = block_fn.inputs[len(inputs) :]
        if missing and block_fn.fn and all(isinstance(block, Api) for block in missing):
            parameters = list(inspect.signature(block_fn.fn).parameters.values())[len(inputs) :]
            if all(one.default is not one.empty for one in parameters):
                inputs.extend(one.default for one in parameters)
        super().validate_inputs(block_fn, inputs)
