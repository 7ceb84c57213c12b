// What the page's scripts have in common: parts of the document, colours, numbers.
export const FELL = 0;
export const DROPPED = 1;
export const KEPT = 2;
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
export const unpack = {
  u1: (text) => bytes(text),
  u2: (text) => new Uint16Array(bytes(text).buffer),
  i4: (text) => new Int32Array(bytes(text).buffer),
  f4: (text) => new Float32Array(bytes(text).buffer),
};

// One component on the page: what gr.HTML hands to its script, its root, and the state that the
// script adds. Functions that need it take it first; two components share none of it. What is given
// stays by itself: Gradio mixes keys of its own, such as "props", into the values that it sends.
export function makeView(given, selector, state) {
  const { element } = given;
  const elsewhere = []; // parts of the component that stand in slots of the page
  const $ = (wanted) => element.querySelector(wanted)
    || elsewhere.map((part) => part.matches(wanted) ? part : part.querySelector(wanted)).find(Boolean);
  return { given, elsewhere, $, root: $(selector), ...state };
}

// Text always goes in as textContent: nothing a user typed can become markup.
export function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export function fill(parent, ...children) {
  parent.replaceChildren(...children);
  return parent;
}

export function buttons(parent, names, chosen, onPick) {
  fill(parent, ...names.map((name, index) => {
    const button = node("button", "pv-btn", name);
    button.type = "button";
    button.setAttribute("aria-pressed", String(index === chosen));
    button.addEventListener("click", () => onPick(index));
    return button;
  }));
  parent.hidden = names.length < 2;
}

export function press(parent, chosen) {
  [...parent.children].forEach((button, index) =>
    button.setAttribute("aria-pressed", String(index === chosen)));
}

export function number(value) {
  if (value === null || !Number.isFinite(value)) return "none";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 0.001 && size < 10000 ? String(+value.toPrecision(4)) : value.toExponential(2);
}

export const isDark = ({ given }) =>
  Boolean(given.element.closest(".dark") || document.body.classList.contains("dark"));
export const plural = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

// A canvas as sharp as the screen, drawn in CSS pixels.
export function context(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

export function colour(view, unit) {
  const at = 3 * Math.round(255 * Math.min(1, Math.max(0, unit)));
  return `rgb(${view.colours[at]},${view.colours[at + 1]},${view.colours[at + 2]})`;
}

export function colourBar(view, low, high, name) {
  const stops = Array.from({ length: 17 }, (_, i) => colour(view, i / 16)).join(",");
  const strip = node("span", "pv-strip");
  strip.style.background = `linear-gradient(to right,${stops})`;
  const ends = node("span", "pv-ends");
  ends.append(node("span", "", low), node("span", "pv-scalename", name), node("span", "", high));
  const bar = node("span", "pv-colourbar");
  bar.append(strip, ends);
  return bar;
}

// Percentile of each value among the finite ones; equal values share the middle.
export function percentiles(values) {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  const find = (value, after) => {
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (after ? sorted[middle] <= value : sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const last = Math.max(1, sorted.length - 1);
  return Float64Array.from(values, (v) =>
    Number.isFinite(v) ? (find(v, false) + find(v, true) - 1) / 2 / last : NaN);
}

export function range(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

export function swatch(kind, text) {
  const item = node("span", "pv-key");
  item.append(node("span", `pv-swatch pv-${kind}`), node("span", "", text));
  return item;
}

// Whether an answer is the baseline's, by a mark and in words.
export function chip(same) {
  const made = node("span", `pv-chip pv-${same ? "same" : "differs"}`);
  const mark = node("b", "", same ? "=" : "≠");
  mark.setAttribute("aria-hidden", "true");
  made.append(mark, ` ${same ? "same answer" : "different answer"}`);
  return made;
}

// A slider's moves, straight from the browser: through Gradio they come a frame later.
export function onSlide(id, move) {
  document.addEventListener("input", (event) => {
    const inside = event.target.closest && event.target.closest(`#${id}`);
    if (inside && event.target.value !== "") move(Number(event.target.value));
  }, true);
}

// From when a visitor changes what is asked until the next result, what a tab shows is of before.
const tabPanel = (name) => document.getElementById(`pv-tab-${name}`);
export function watchStale(name) {
  const mark = () => { if (tabPanel(name)) tabPanel(name).dataset.stale = "yes"; };
  ["pruneviz:own", "pruneviz:example"].forEach((event) => window.addEventListener(event, mark));
  document.addEventListener("input", (event) => {
    if (event.target.closest && event.target.closest("#pv-question")) mark();
  }, true);
  return mark;
}
export function fresh(name) {
  if (tabPanel(name)) delete tabPanel(name).dataset.stale;
}

// Whether part of the shown picture was never seen by the model.
export function isCropped(view) {
  const [x0, y0, x1, y1] = view.window, [left, top, right, bottom] = view.seen;
  return left > x0 + 0.5 || top > y0 + 0.5 || right < x1 - 0.5 || bottom < y1 - 0.5;
}

// Where each patch lies, and which token a cell shows (-1 = none).
export function geometry(data) {
  const cells = unpack.i4(data.cells);
  const cellToken = new Int32Array(data.rows * data.columns).fill(-1);
  cells.forEach((cell, token) => { if (cell >= 0) cellToken[cell] = token; });
  return { boxes: unpack.f4(data.boxes), cells, cellToken, colours: unpack.u1(data.colours) };
}
