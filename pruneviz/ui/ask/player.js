// Walking through the decoder: a slider, a play button, and which patches enter each layer.
import { drawMarked } from "./flowing.js";
import { BIG, enlarge, shownRun } from "./layers.js";
import { drawCursor } from "./paint.js";
import { context, DROPPED, fill, isDark, KEPT, press, swatch } from "../shared/base.js";
import { drawPatches, fillCells } from "../shared/patches.js";

const STEP = 500; // milliseconds a layer; each step is a cut, nothing moves in between

// The last stage before a layer (counted from 0): it decides what the layer sees.
function stageBefore(view, layer) {
  if (view.run === 0) return null;
  return view.stages.filter((stage) => stage.layer <= layer).pop() || null;
}

export function goTo(view, layer) {
  view.layer = Math.min(view.perLayer[shownRun(view)].length - 1, Math.max(0, layer));
  press(view.$(".pv-sheet"), view.layer);
  const slider = view.$(".pv-layer"), last = view.perLayer[shownRun(view)].length;
  slider.max = last;
  slider.value = view.layer + 1;
  view.$(".pv-layerread").textContent = `${view.layer + 1} / ${last}`;
  slider.setAttribute("aria-valuetext", `Layer ${view.layer + 1} of ${last}, ${entering(view)}`);
  view.root.dataset.layer = `${view.layer + 1}:${view.perLayer[shownRun(view)][view.layer]}`;
  enlarge(view);
  drawEntering(view);
}

const entering = (view) => `${view.perLayer[shownRun(view)][view.layer]} of ${view.tokens} patches enter it`;

// The picture with the patches that the layer sees; those dropped just before it stand out.
export function drawEntering(view) {
  const canvas = view.$(".pv-enterpic");
  if (!view.ready || !view.signals.length || !canvas.parentElement.clientWidth) return;
  const [x0, y0, x1, y1] = view.window, stage = stageBefore(view, view.layer);
  const scale = Math.min(Math.min(canvas.parentElement.clientWidth, 1.4 * BIG) / (x1 - x0),
    BIG / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  const states = stage ? stage.state : new Uint8Array(view.tokens).fill(KEPT);
  const ctx = context(canvas, width, height);
  drawPatches(view, ctx, states, width, height, scale, null);
  const fell = stage !== null && stage.layer === view.layer;
  if (!drawMarked(view, ctx, scale) && fell) {
    fillCells(view, ctx, states, DROPPED, scale, stripes(ctx, isDark(view) ? "#f0926b" : "#b4431f"));
  }
  view.enterScale = scale;
  drawCursor(view, ctx, scale);
  const title = `Layer ${view.layer + 1}: ${entering(view)}`, line = view.$(".pv-enterread");
  view.$(".pv-entertitle").textContent = title;
  canvas.setAttribute("aria-label", `${title}.`);
  if (fell) fill(line, swatch("justfell", `${stage.alive - stage.kept} ${goneBy(stage)} just before it`));
  else line.textContent = stage ? `${stage.title}: ${stage.kept} kept.` : "Nothing was dropped yet.";
}

function goneBy(stage) {
  if (!stage.into) return "dropped";
  const lost = stage.state.some((state, token) => state === DROPPED && stage.into[token] < 0);
  return lost ? "merged or dropped" : "merged";
}

// Lines and not a tint: any colour may be the picture's own. The other way than what was never seen.
export function stripes(ctx, colour) {
  const tile = new OffscreenCanvas(10, 10), pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.4;
  for (const shift of [-10, 0, 10]) {
    pen.moveTo(shift - 1, -1);
    pen.lineTo(shift + 11, 11);
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat");
}

function playButton(view) {
  const button = view.$(".pv-play");
  button.textContent = view.playing ? "❚❚ Pause" : "▶ Play";
  button.setAttribute("aria-label", view.playing ? "Pause" : "Play: one layer after another");
}

export function pause(view) {
  clearInterval(view.playing);
  view.playing = 0;
  playButton(view);
}

function step(view) {
  goTo(view, view.layer + 1);
  if (view.layer === view.perLayer[shownRun(view)].length - 1) pause(view);
}

// Played again from the end, it starts over.
function play(view) {
  if (!view.ready) return;
  if (view.layer === view.perLayer[shownRun(view)].length - 1) goTo(view, 0);
  view.playing = setInterval(() => step(view), STEP);
  playButton(view);
}

export function wirePlayer(view) {
  playButton(view);
  view.$(".pv-play").addEventListener("click", () => (view.playing ? pause(view) : play(view)));
  view.$(".pv-layer").addEventListener("input", (event) => {
    pause(view);
    if (view.ready) goTo(view, Number(event.target.value) - 1);
  });
  view.$(".pv-sheet").addEventListener("click", () => pause(view));
}
