"""The page: a Gradio app over the engine. Nothing outside this package imports Gradio."""

from pruneviz.ui.launching import launch_settings
from pruneviz.ui.page import build

__all__ = ["build", "launch_settings"]
