// What matters: effects measured by taking patches away, beside the method's scores, both on the
// picture. Values come in the event that the carrier component sends.
import { BIG } from "./layers.js";
import { settle } from "./pins.js";
import { tokenAt } from "./readout.js";
import {
  colour, colourBar, context, fill, node, number, percentiles, swatch, unpack,
} from "../shared/base.js";
import { cellUnder, fade, place } from "../shared/patches.js";

function adoptEffects(view, data) {
  if (!data || !view.ready) return;
  if (data.restore) {
    pinRestoring(view, data.restore);
    return;
  }
  view.effects = { ...data, values: unpack.f4(data.effects), judged: data.scores ? unpack.f4(data.scores) : null };
  drawEffects(view);
}

// Another result has no map yet.
export function forgetEffects(view) {
  view.effects = null;
  view.$(".pv-matter").dataset.state = "empty";
}

// Kept on top of the method's own number, as giving back does.
function pinRestoring(view, tokens) {
  const fresh = tokens.filter((token) => !view.pins.keep.has(token));
  fresh.forEach((token) => { view.pins.drop.delete(token); view.pins.keep.add(token); });
  view.pins.extra += fresh.length;
  view.$(".pv-hand").open = true;
  settle(view);
}

// By the root: a few blocks move the answer by far more than all others.
const effectUnit = (view, value) => Number.isFinite(value)
  ? Math.sqrt(Math.max(0, value <= view.effects.noise ? 0 : value) / Math.max(view.effects.most, 1e-9)) : NaN;

export function overlayMap(view, canvas, unit) {
  const [x0, y0, x1, y1] = view.window, room = canvas.parentElement.clientWidth;
  if (!room) return null;
  const scale = Math.min(room / (x1 - x0), BIG / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale, ctx = context(canvas, width, height);
  ctx.drawImage(view.picture, 0, 0, width, height);
  fade(ctx, width, height);
  for (let token = 0; token < view.tokens; token++) {
    if (view.cells[token] < 0 || !Number.isFinite(unit[token])) continue;
    ctx.globalAlpha = 0.7;
    ctx.fillStyle = colour(view, unit[token]);
    ctx.fillRect(...place(view, view.cells[token], scale));
  }
  ctx.globalAlpha = 1;
  return { ctx, scale };
}

// The blocks that matter most, those that the method dropped with a dash and a cross.
function outlineTop(view, { ctx, scale }) {
  const lost = new Set(view.effects.dropped.map((tokens) => tokens[0]));
  view.effects.top.forEach((tokens) => {
    const boxes = tokens.filter((t) => view.cells[t] >= 0).map((t) => place(view, view.cells[t], scale));
    if (!boxes.length) return;
    const x = Math.min(...boxes.map((b) => b[0])), y = Math.min(...boxes.map((b) => b[1]));
    const right = Math.max(...boxes.map((b) => b[0] + b[2])), low = Math.max(...boxes.map((b) => b[1] + b[3]));
    const gone = lost.has(tokens[0]);
    for (const [style, width] of [["#0b1220", 4], [gone ? "#ff8a5c" : "#7ee2a8", 2]]) {
      ctx.setLineDash(gone && width === 2 ? [5, 3] : []);
      ctx.strokeStyle = style;
      ctx.lineWidth = width;
      ctx.strokeRect(x + 1, y + 1, right - x - 2, low - y - 2);
    }
    ctx.setLineDash([]);
  });
}

export function drawEffects(view) {
  const part = view.$(".pv-matter");
  part.dataset.state = view.effects ? "ready" : "empty";
  if (!view.effects || !view.ready) return;
  const units = Float64Array.from(view.effects.values, (value) => effectUnit(view, value));
  const measured = overlayMap(view, view.$(".pv-effects"), units);
  if (!measured) return;
  outlineTop(view, measured);
  view.effectScale = measured.scale;
  view.$(".pv-judge").hidden = !view.effects.judged;
  if (view.effects.judged) {
    const judged = overlayMap(view, view.$(".pv-judged"), percentiles(view.effects.judged));
    if (judged) outlineTop(view, judged);
  }
  view.$(".pv-effectstitle").textContent = "What matters: fall of the answer's log-probability when taken away";
  view.$(".pv-judgedtitle").textContent = `What ${view.effects.title} thinks: its scores, by rank`;
  fill(view.$(".pv-effectsbar"), colourBar(view, "0", `${number(view.effects.most)} nats`, "by the root"),
    swatch("topkept", "matters most, kept"), swatch("toplost", "matters most, dropped"));
  fill(view.$(".pv-effectsaid"), ...view.effects.said.map((line) => node("li", "", line)));
  view.$(".pv-effects").setAttribute("aria-label",
    `Effect of taking away each block of ${view.effects.block} by ${view.effects.block} patches. ` +
    view.effects.said.join(" "));
  view.root.dataset.effects = `${view.effects.block}:${view.effects.finished}`;
}

function readEffect(view, event) {
  if (!view.effects) return;
  const cell = cellUnder(view, event, view.effectScale), token = tokenAt(view, cell);
  const value = token < 0 ? NaN : view.effects.values[token];
  const score = token < 0 || !view.effects.judged ? NaN : view.effects.judged[token];
  view.$(".pv-effectread").textContent = Number.isFinite(value)
    ? `Row ${Math.floor(cell / view.columns) + 1}, column ${cell % view.columns + 1}: without ` +
      `${view.effects.block === 1 ? "it" : "its block"} ${number(Math.abs(value))} nats ` +
      `${value < 0 ? "more" : "less"} likely${Number.isFinite(score) ? `; score ${number(score)}` : ""}.`
    : "Point at a patch to read what it does.";
}

export function wireEffects(view) {
  for (const name of [".pv-effects", ".pv-judged"]) {
    view.$(name).addEventListener("pointermove", (event) => readEffect(view, event));
    view.$(name).addEventListener("click", (event) => readEffect(view, event));
  }
  window.addEventListener("pruneviz:effects", (event) => adoptEffects(view, event.detail));
}
