"""What a method needs to know of the model that it is put on."""

from __future__ import annotations

from typing import Any

from pruneviz.methods.base import Host
from pruneviz.models.core.adapter import Adapter


def host_of(model: Any, adapter: Adapter) -> Host:
    """Family and encoder of a model."""
    return Host(adapter.kin, adapter.encoder_layers(model), adapter.whole_layers(model))
