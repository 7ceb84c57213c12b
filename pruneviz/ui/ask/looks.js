// Where the answers' tokens look: the attention of one chosen token to every patch, on the picture,
// for both runs. Asked for when the part is first seen after a result.
import { decodeSignal } from "./layers.js";
import { wire } from "./main.js";
import { overlayMap } from "./matters.js";
import { placeName } from "./merged.js";
import { drawCursor } from "./paint.js";
import { tokenAt } from "./readout.js";
import { buttons, colourBar, fill, node, press, range, swatch } from "../shared/base.js";
import { cellUnder, dots, fillCells, veil } from "../shared/patches.js";

export const noLooks = () => ({ turn: 0, asked: false, runs: [], chosen: [0, 0], layer: 0, scales: [0, 0] });
const AGAIN = 300; // milliseconds
const LOOK_BOXES = ["baseline", "pruned"].map((name) => `.pv-look-${name}`);

export function forgetLooks(view) {
  Object.assign(view.looks, { turn: view.looks.turn + 1, asked: false, runs: [], chosen: [0, 0], layer: 0 });
  view.$(".pv-looks").dataset.state = "empty";
  askLooks(view);
}

// On demand: nothing is computed for who never opens the part.
export function askLooks(view) {
  if (view.looks.asked || !view.ready || !view.$(".pv-looks").clientWidth) return;
  view.looks.asked = true;
  view.looks.turn += 1; // each answer is another value, or Gradio would not tell of it
  view.given.trigger("look", { turn: view.looks.turn });
}

// What was asked before this result was whole, or of one that it replaced, is asked again.
function adoptLooks(view, data) {
  if (!data || !view.ready) return;
  if (data.turn !== view.looks.turn || !data.runs.length) {
    view.looks.asked = view.looks.runs.length > 0;
    setTimeout(() => askLooks(view), AGAIN);
    return;
  }
  view.looks.runs = data.runs.map((run) => ({ ...run, mean: decodeSignal(run.mean), layers: decodeSignal(run.layers) }));
  lookControls(view);
  drawLooks(view);
}

// Mean over layers, or one of them where they were sent.
function lookControls(view) {
  const whole = view.looks.runs.every((run) => run.layers), count = view.looks.runs[0].layerShares.length;
  const names = ["mean over layers", ...Array.from({ length: whole ? count : 0 }, (_, n) => `layer ${n + 1}`)];
  fill(view.$(".pv-looklayer"), ...names.map((name, value) => {
    const option = node("option", "", name);
    option.value = value;
    option.selected = value === view.looks.layer;
    return option;
  }));
  view.looks.runs.forEach((run, at) => buttonsOfTokens(view.$(`${LOOK_BOXES[at]} .pv-looktokens`), run, view.looks.chosen[at], (token) => {
    view.looks.chosen[at] = token;
    // The same word in the other answer, where it stands in the same place.
    view.looks.runs.forEach((other, place) => { if (other.tokens[token] === run.tokens[token]) view.looks.chosen[place] = token; });
    drawLooks(view);
  }));
}

function buttonsOfTokens(parent, run, chosen, onPick) {
  buttons(parent, run.tokens, chosen, onPick);
  parent.hidden = !run.tokens.length;
}

// Attention of a token to every visual token; NaN where the layer, or one of them, has it no more.
function lookValues(run, token, layer, count) {
  const row = layer ? (layer - 1) * run.tokens.length + token : token;
  return (layer ? run.layers : run.mean).subarray(row * count, (row + 1) * count);
}

const inShare = (value) => `${+(100 * value).toPrecision(3)} %`;

// The patches that it looks at most, and what goes to all of them, in words.
function lookText(run, token, layer, values, cellWords) {
  const share = layer ? run.layerShares[layer - 1][token] : run.shares[token];
  const best = [...values.keys()].filter((one) => Number.isFinite(values[one]))
    .sort((a, b) => values[b] - values[a]).slice(0, 3);
  const most = best.map((one) => `${cellWords(one)} (${inShare(values[one])})`).join("; ");
  return `“${run.tokens[token]}” gives ${inShare(share)} of its attention to visual tokens, most to ${most || "none"}.`;
}

// What is not there is dotted as on the mask, and never drawn as a low value.
function drawLook(view, canvas, values) {
  const top = range(values)[1], absent = Uint8Array.from(values, (value) => Number(!Number.isFinite(value)));
  const map = overlayMap(view, canvas, Float64Array.from(values, (value) => Math.sqrt(value / Math.max(top, 1e-12))));
  if (!map) return null;
  fillCells(view, map.ctx, absent, 1, map.scale, veil(view, 0.55));
  fillCells(view, map.ctx, absent, 1, map.scale, dots(map.ctx));
  drawCursor(view, map.ctx, map.scale);
  return { scale: map.scale, top, absent: absent.includes(1) };
}

export function drawLooks(view) {
  const part = view.$(".pv-looks");
  part.dataset.state = view.looks.runs.length ? "ready" : "empty";
  if (!view.looks.runs.length || !view.ready) return;
  LOOK_BOXES.forEach((name, at) => {
    const box = view.$(name), run = view.looks.runs[at];
    box.hidden = !run;
    if (!run || !run.tokens.length) return;
    const token = view.looks.chosen[at], values = lookValues(run, token, view.looks.layer, view.tokens);
    const canvas = box.querySelector("canvas"), drawn = drawLook(view, canvas, values);
    if (!drawn) return;
    view.looks.scales[at] = drawn.scale;
    const text = lookText(run, token, view.looks.layer, values, (one) => placeName(view, one));
    press(box.querySelector(".pv-looktokens"), token);
    box.querySelector(".pv-bigtitle").textContent = run.title;
    box.querySelector(".pv-looksaid").textContent = text;
    canvas.setAttribute("aria-label", `${run.title}: ${text} Arrow keys move from patch to patch.`);
    fill(box.querySelector(".pv-lookbar"), colourBar(view, "0", inShare(drawn.top), "share of its attention, by the root"),
      ...(drawn.absent ? [swatch("off", "not there: dropped or merged")] : []));
    const under = tokenAt(view, view.cursor);
    box.querySelector(".pv-lookread").textContent = under < 0 ? "Point at a patch to read its share."
      : `${placeName(view, under)}: ${Number.isFinite(values[under]) ? inShare(values[under]) : "not there any more"}.`;
  });
  view.root.dataset.looks = `${view.looks.runs.length}:${view.looks.layer}:${view.looks.chosen.join(",")}`;
}

export function wireLooks(view) {
  LOOK_BOXES.forEach((name, at) =>
    wire(view, view.$(`${name} canvas`), (event) => cellUnder(view, event, view.looks.scales[at])));
  view.$(".pv-looklayer").addEventListener("change", (event) => {
    view.looks.layer = Number(event.target.value);
    drawLooks(view);
  });
  window.addEventListener("pruneviz:looks", (event) => adoptLooks(view, event.detail));
}
