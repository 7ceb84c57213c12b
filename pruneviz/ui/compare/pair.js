// Two methods on one picture: what only one of them keeps, what both, what neither.
import { paintSides } from "./pairsides.js";
import { context, DROPPED, fill, isDark, KEPT, node, swatch } from "../shared/base.js";
import { cellUnder, contour, drawPatches, place } from "../shared/patches.js";

export const firstPair = () => ({ a: 0, b: 1, titles: [] });
const ONLY_A = 1, ONLY_B = 2; // and 3: both
const STRIPES = { [ONLY_A]: [1, "#1d4ed8", "#7ea6ff"], [ONLY_B]: [-1, "#b4431f", "#ff9a6b"] };
// Merged tokens stand for many patches: there is no choice to compare.
export const chosen = (view) => view.panels.filter((panel) => panel.ready && !panel.holders);

function pairStates(view) {
  const both = chosen(view), a = both[view.pair.a].state, b = both[view.pair.b].state;
  return Uint8Array.from(a, (state, token) =>
    (state === KEPT ? ONLY_A : 0) + (b[token] === KEPT ? ONLY_B : 0));
}

function pairCounts(states) {
  const counts = [0, 0, 0, 0];
  for (const state of states) counts[state] += 1;
  return counts;
}

function pickers(view) {
  const all = chosen(view);
  for (const [key, other] of [["a", "b"], ["b", "a"]]) {
    const box = view.$(`.pv-pair${key}`);
    fill(box, ...all.map((panel, index) => {
      const option = node("option", "", panel.title);
      option.value = index;
      option.selected = index === view.pair[key];
      option.disabled = index === view.pair[other];
      return option;
    }));
  }
}

// Stripes that lean to the left or to the right: the two are told apart without colour, too.
function stripes(view, ctx, states, kind, scale) {
  const [lean, dark, light] = STRIPES[kind], path = new Path2D();
  let any = false;
  for (let token = 0; token < view.tokens; token++) {
    if (states[token] !== kind || view.cells[token] < 0) continue;
    path.rect(...place(view, view.cells[token], scale));
    any = true;
  }
  if (!any) return;
  const { width, height } = ctx.canvas;
  ctx.save();
  ctx.clip(path);
  for (const [wide, style] of [[5, "rgba(255,255,255,.9)"], [3, isDark(view) ? light : dark]]) {
    ctx.strokeStyle = style;
    ctx.lineWidth = wide;
    ctx.beginPath();
    for (let at = -height; at < width + height; at += 10) {
      ctx.moveTo(at, lean > 0 ? height : 0);
      ctx.lineTo(at + height, lean > 0 ? 0 : height);
    }
    ctx.stroke();
  }
  ctx.restore();
}

export function paintPair(view) {
  const box = view.$(".pv-pair");
  box.hidden = chosen(view).length < 2;
  if (box.hidden) return;
  const canvas = view.$(".pv-pairmap"), [x0, y0, x1, y1] = view.window;
  const room = canvas.parentElement.clientWidth;
  if (!room) return;
  const scale = Math.min(room / (x1 - x0), 460 / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  view.pairScale = scale;
  const ctx = context(canvas, width, height), states = pairStates(view);
  drawPatches(view, ctx, states.map((state) => (state ? KEPT : DROPPED)), width, height, scale, null, () => {
    stripes(view, ctx, states, ONLY_A, scale);
    stripes(view, ctx, states, ONLY_B, scale);
  });
  contour(view, ctx, scale, Int32Array.from(view.cellToken, (token) => (token < 0 ? 0 : states[token])));
  paintSides(view, width, height, scale);
  pairLegend(view, states);
}

function pairLegend(view, states) {
  const all = chosen(view), a = all[view.pair.a].title, b = all[view.pair.b].title;
  const [neither, onlyA, onlyB, both] = pairCounts(states);
  const key = (kind, text, count) => {
    const item = swatch(kind, text);
    item.append(node("span", "pv-muted", `× ${count}`));
    return item;
  };
  fill(view.$(".pv-pairlegend"), key("onlya", `only ${a}`, onlyA), key("onlyb", `only ${b}`, onlyB),
    key("on", "both", both), key("off", "neither", neither));
  view.$(".pv-pairmap").setAttribute("aria-label",
    `Map: ${onlyA} patches kept by ${a} only, ${onlyB} by ${b} only, ${both} by both, ${neither} by neither.`);
  for (const [way, own, others] of [["ab", a, b], ["ba", b, a]]) {
    const button = view.$(`.pv-swap${way}`);
    button.textContent = `Ask ${own} with ${others}'s patches`;
    button.disabled = onlyA + onlyB === 0;
  }
}

function pairRead(view, event) {
  const token = tokenUnder(view, event), line = view.$(".pv-pairread");
  if (token < 0) {
    line.textContent = "Point at a patch to read who keeps it.";
    return;
  }
  const all = chosen(view), cell = view.cells[token];
  const words = ["neither", `only ${all[view.pair.a].title}`, `only ${all[view.pair.b].title}`, "both"];
  line.textContent = `Row ${Math.floor(cell / view.columns) + 1}, column ${cell % view.columns + 1}: ` +
    `kept by ${words[pairStates(view)[token]]}.`;
}

function tokenUnder(view, event) {
  if (!view.ready || event.type === "pointerleave" || chosen(view).length < 2) return -1;
  const before = view.scale;
  view.scale = view.pairScale;
  const cell = cellUnder(view, event);
  view.scale = before;
  return cell === null ? -1 : view.cellToken[cell];
}

// After a run: the two that were chosen before, by name, or the first two.
export function adoptPair(view, titles) {
  const all = chosen(view), find = (title) => all.findIndex((panel) => panel.title === title);
  const [a, b] = titles.map(find);
  view.pair.a = a >= 0 ? a : b === 0 ? 1 : 0;
  view.pair.b = b >= 0 && b !== view.pair.a ? b : view.pair.a === 0 ? 1 : 0;
  pickers(view);
}

export function wirePair(view) {
  for (const key of ["a", "b"]) {
    view.$(`.pv-pair${key}`).addEventListener("change", (event) => {
      view.pair[key] = Number(event.target.value);
      view.pair.titles = [chosen(view)[view.pair.a].title, chosen(view)[view.pair.b].title];
      pickers(view);
      paintPair(view);
    });
  }
  for (const [way, own, other] of [["ab", "a", "b"], ["ba", "b", "a"]]) {
    view.$(`.pv-swap${way}`).addEventListener("click", () => {
      const all = chosen(view);
      view.given.trigger("swap", { own: all[view.pair[own]].method, other: all[view.pair[other]].method });
    });
  }
  for (const type of ["pointermove", "pointerleave"]) {
    view.$(".pv-pairmap").addEventListener(type, (event) => pairRead(view, event));
  }
}
