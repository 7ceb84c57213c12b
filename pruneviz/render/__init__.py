"""Draw what a run did. Sees only traces, patch grids and images, never a model."""

from pruneviz.render.curves import Line, Spread, sweep_figure
from pruneviz.render.effects import effect_overlay
from pruneviz.render.evidence import evidence_figure, evidence_svg
from pruneviz.render.figures import comparison_figure
from pruneviz.render.heatmaps import layer_sheet
from pruneviz.render.labels import stage_title
from pruneviz.render.layers import layer_figure
from pruneviz.render.merged import merged_overlay
from pruneviz.render.overlay import mask_overlay
from pruneviz.render.panels import panel, panels_payload
from pruneviz.render.paper import fitted, save_figure
from pruneviz.render.payload import view_payload
from pruneviz.render.sidebyside import SidePanel, side_by_side_figure
from pruneviz.render.speed import SpeedLine, speed_figure
from pruneviz.render.styles import Style, styles

__all__ = [
    "Line",
    "SidePanel",
    "SpeedLine",
    "Spread",
    "Style",
    "comparison_figure",
    "effect_overlay",
    "evidence_figure",
    "evidence_svg",
    "fitted",
    "layer_figure",
    "layer_sheet",
    "mask_overlay",
    "merged_overlay",
    "panel",
    "panels_payload",
    "save_figure",
    "side_by_side_figure",
    "speed_figure",
    "stage_title",
    "styles",
    "sweep_figure",
    "view_payload",
]
