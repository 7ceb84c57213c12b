// The canvas: what each patch became, at the stage or the budget that is shown.
import { drawMarked } from "./flowing.js";
import { drawGroups, isGroups, merges, outlineGroup, showMerged } from "./merged.js";
import { drawPins, previewStates } from "./pins.js";
import { describe } from "./readout.js";
import { context, KEPT } from "../shared/base.js";
import { drawPatches, place } from "../shared/patches.js";

export function stageStates(view) {
  if (view.preview !== null) return previewStates(view);
  if (view.stage === 0) return new Uint8Array(view.tokens).fill(KEPT);
  return view.stages[view.stage - 1].state;
}

export function shownValues(view) {
  const stage = view.stages[Math.max(0, view.stage - 1)];
  return view.show === "score" ? stage.scores : stage.parts[view.show];
}

export const isHeat = (view) => !["mask", "groups"].includes(view.show) && view.stage > 0 && view.preview === null;

// What is left of a screen for the picture, so that the slider below it is in view as well.
export const tallest = () => Math.max(280, innerHeight * 0.52);

export function paint(view) {
  if (!view.ready) return;
  const started = performance.now();
  const canvas = view.$(".pv-canvas");
  const [x0, y0, x1, y1] = view.window;
  const room = canvas.parentElement.clientWidth;
  if (!room) return;
  const scale = Math.min(room / (x1 - x0), tallest() / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  view.scale = scale;
  const ctx = context(canvas, width, height);
  ctx.imageSmoothingEnabled = scale < 12;
  const states = stageStates(view);
  const kept = drawPatches(view, ctx, states, width, height, scale, isHeat(view) ? shownValues(view) : null, () => {
    if (isGroups(view)) drawGroups(view, ctx, scale);
    else if (merges(view) && !isHeat(view)) showMerged(view, ctx, states, scale, width, height);
  });
  if (view.preview === null) drawMarked(view, ctx, scale);
  drawPins(view, ctx, scale);
  outlineGroup(view, ctx, scale);
  drawCursor(view, ctx, scale);
  view.count = kept;
  describe(view, canvas, kept);
  view.root.dataset.painted = `${view.stage}:${kept}:${view.show}`;
  view.root.dataset.milliseconds = (performance.now() - started).toFixed(2);
}

export function drawCursor(view, ctx, scale) {
  if (view.cursor === null) return;
  const [x, y, w, h] = place(view, view.cursor, scale);
  ctx.lineWidth = 4;
  ctx.strokeStyle = "#111827";
  ctx.strokeRect(x, y, w, h);
  ctx.lineWidth = 2;
  ctx.strokeStyle = view.pinned ? "#fbbf24" : "#ffffff";
  ctx.strokeRect(x, y, w, h);
}
