// Patches kept or dropped by hand: clicks, brush and keys, markers, what the server is told.
import { lendMasks, pinnedMask, pinsAsRan } from "./lent.js";
import { refresh } from "./main.js";
import { tokenAt } from "./readout.js";
import { buttons, DROPPED, isDark, KEPT, press } from "../shared/base.js";
import { cellUnder, place } from "../shared/patches.js";
import { asRan, BEYOND, isIn, keepFirst, ranking } from "../shared/previews.js";

const MODES = ["Look", "Keep", "Drop", "Erase"];
const PIN_KEYS = { k: "Keep", d: "Drop", e: "Erase", Delete: "Erase" };
export const noPins = () => ({ keep: new Set(), drop: new Set(), extra: 0, picture: "", mode: "Look",
  brushing: false, stroke: null });

export const pinned = (view) => view.pins.keep.size + view.pins.drop.size > 0;
const sorted = (set) => [...set].sort((a, b) => a - b);

export function pinText(view) {
  return JSON.stringify({
    picture: view.pins.picture, keep: sorted(view.pins.keep), drop: sorted(view.pins.drop), extra: view.pins.extra,
  });
}

// Pins belong to a picture: another one brings its own, which are those it was asked with.
export function adoptPins(view, data) {
  const ran = data.pins || { keep: [], drop: [], extra: 0 };
  if (data.picture !== view.pins.picture) {
    Object.assign(view.pins, { keep: new Set(ran.keep), drop: new Set(ran.drop), extra: ran.extra,
      picture: data.picture || "" });
  }
  view.ranPins = JSON.stringify({ picture: data.picture || "", ...ran });
  view.ranBudget = view.budget = data.budget;
  view.ranPercent = view.percent = data.percent;
}

function setPins(view, tokens, mode) {
  const before = pinText(view);
  for (const token of tokens) {
    if (token < 0) continue;
    view.pins.keep.delete(token);
    view.pins.drop.delete(token);
    if (mode === "Keep") view.pins.keep.add(token);
    if (mode === "Drop") view.pins.drop.add(token);
  }
  view.pins.extra = Math.min(view.pins.extra, view.pins.keep.size);
  if (pinText(view) !== before) settle(view);
}

function clearPins(view) {
  view.pins.keep.clear();
  view.pins.drop.clear();
  view.pins.extra = 0;
  settle(view);
}

// A preview is shown only where a new run would differ from the one on the screen.
export function settle(view) {
  view.root.dataset.pins = pinText(view);
  if (!view.ready) return;
  lendMasks(view);
  const budget = view.percent === view.ranPercent || asRan(view.previews, view.budget, view.ranBudget);
  const same = pinText(view) === view.ranPins && budget;
  view.preview = same || view.budget === BEYOND ? null : view.budget;
  if (view.preview === null) view.stage = view.stages.length;
  const shown = view.preview !== null && pinsAsRan(view);
  window.dispatchEvent(new CustomEvent("pruneviz:moved", {
    detail: { count: view.budget, percent: view.percent, shown } }));
  refresh(view);
}

// What the slider's budget keeps: pins first, the rest by the last run's ranking.
export function previewStates(view) {
  const states = new Uint8Array(view.tokens).fill(DROPPED), exact = pinnedMask(view);
  if (exact) return states.map((state, token) => (isIn(exact, token) ? KEPT : state));
  view.pins.keep.forEach((token) => { states[token] = KEPT; });
  const wanted = Math.max(view.preview + view.pins.extra, view.pins.keep.size);
  const left = Math.min(wanted, view.tokens - view.pins.drop.size) - view.pins.keep.size;
  return keepFirst(states, ranking(view.previews, view.order, view.preview), left, view.pins.drop);
}

// The dropped patches that the last run was closest to keeping, on top of its budget.
function giveBack(view, count) {
  const last = view.stages[view.stages.length - 1];
  const best = [...view.order].filter((token) => last.state[token] !== KEPT
    && !view.pins.keep.has(token) && !view.pins.drop.has(token)).slice(0, count);
  best.forEach((token) => view.pins.keep.add(token));
  view.pins.extra += best.length;
  settle(view);
  return best.length;
}

// A disc with a tick: kept; a square with a cross: dropped. Shape and colour differ.
export function drawPins(view, ctx, scale) {
  const dark = "#0b1220", light = "#ffffff";
  for (const [set, kept] of [[view.pins.keep, true], [view.pins.drop, false]]) {
    for (const token of set) {
      if (view.cells[token] < 0) continue;
      const [x, y, w, h] = place(view, view.cells[token], scale);
      const r = Math.max(4, 0.36 * Math.min(w, h)), cx = x + w / 2, cy = y + h / 2;
      const mark = new Path2D(), shape = new Path2D();
      if (kept) {
        shape.arc(cx, cy, r, 0, 2 * Math.PI);
        mark.moveTo(cx - 0.5 * r, cy);
        mark.lineTo(cx - 0.1 * r, cy + 0.42 * r);
        mark.lineTo(cx + 0.52 * r, cy - 0.4 * r);
      } else {
        shape.rect(cx - 0.9 * r, cy - 0.9 * r, 1.8 * r, 1.8 * r);
        mark.moveTo(cx - 0.45 * r, cy - 0.45 * r);
        mark.lineTo(cx + 0.45 * r, cy + 0.45 * r);
        mark.moveTo(cx + 0.45 * r, cy - 0.45 * r);
        mark.lineTo(cx - 0.45 * r, cy + 0.45 * r);
      }
      ctx.fillStyle = kept ? "#15703f" : "#b4431f";
      ctx.fill(shape);
      ctx.lineWidth = 1.2;
      ctx.strokeStyle = isDark(view) ? light : dark;
      ctx.stroke(shape);
      ctx.lineWidth = Math.max(1.4, 0.22 * r);
      ctx.strokeStyle = light;
      ctx.stroke(mark);
    }
  }
}

export const pinOf = (view, token) => view.pins.keep.has(token) ? "Kept by hand"
  : view.pins.drop.has(token) ? "Dropped by hand" : "";

export function pinBar(view) {
  press(view.$(".pv-modes"), MODES.indexOf(view.pins.mode));
  const beyond = view.pins.extra ? ` (${view.pins.extra} beyond the budget)` : "";
  view.$(".pv-pincount").textContent = pinned(view)
    ? `${view.pins.keep.size} kept${beyond}, ${view.pins.drop.size} dropped by hand` : "";
  for (const name of [".pv-again", ".pv-clear"]) view.$(name).hidden = !pinned(view);
  view.$(".pv-give").hidden = !view.stages.length;
  view.$(".pv-pinhint").hidden = view.pins.mode === "Look";
  view.$(".pv-canvas").classList.toggle("pv-brush", view.pins.mode !== "Look");
}

// From where the pointer was last: a fast stroke must not leave gaps.
function brush(view, event) {
  const canvas = event.currentTarget, tokens = [];
  const [x, y] = view.pins.stroke || [event.clientX, event.clientY];
  const across = event.clientX - x, down = event.clientY - y;
  const steps = Math.max(1, Math.ceil(Math.hypot(across, down) / 4));
  for (let step = 1; step <= steps; step++) {
    tokens.push(tokenAt(view, cellUnder(view, { currentTarget: canvas,
      clientX: x + across * step / steps, clientY: y + down * step / steps })));
  }
  view.pins.stroke = [event.clientX, event.clientY];
  setPins(view, tokens, view.pins.mode);
}

export function wirePins(view) {
  const canvas = view.$(".pv-canvas");
  buttons(view.$(".pv-modes"), MODES, 0, (index) => {
    view.pins.mode = MODES[index];
    view.pinned = false;
    pinBar(view);
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (!view.ready || view.pins.mode === "Look" || event.button) return;
    view.pins.brushing = true;
    view.pins.stroke = null;
    canvas.setPointerCapture(event.pointerId);
    brush(view, event);
  });
  canvas.addEventListener("pointermove", (event) => { if (view.pins.brushing) brush(view, event); });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { view.pins.brushing = false; });
  }
  canvas.addEventListener("keydown", (event) => {
    if (!view.ready || event.ctrlKey || event.metaKey || event.altKey) return;
    const own = [" ", "Enter"].includes(event.key) && view.pins.mode !== "Look" ? view.pins.mode : null;
    const mode = PIN_KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key] || own;
    if (!mode) return;
    event.preventDefault();
    setPins(view, [tokenAt(view, view.cursor)], mode);
  });
  view.$(".pv-again").addEventListener("click", () => view.given.trigger("again", {}));
  view.$(".pv-clear").addEventListener("click", () => clearPins(view));
  view.$(".pv-giveback").addEventListener("click", () => {
    const count = Math.floor(Number(view.$(".pv-givecount").value));
    if (count >= 1 && giveBack(view, count)) view.given.trigger("again", {});
  });
  // The page sends this when its picture changes, by hand or by an example.
  window.addEventListener("pruneviz:changed", () => clearPins(view));
}
