// Shared by the other scripts of this folder, which are joined into one function body.
const FELL = 0, DROPPED = 1, KEPT = 2;
const elsewhere = []; // parts of the component that stand in slots of the page
const $ = (selector) => element.querySelector(selector)
  || elsewhere.map((part) => part.matches(selector) ? part : part.querySelector(selector)).find(Boolean);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const unpack = {
  u1: (text) => bytes(text),
  u2: (text) => new Uint16Array(bytes(text).buffer),
  i4: (text) => new Int32Array(bytes(text).buffer),
  f4: (text) => new Float32Array(bytes(text).buffer),
};

// Text always goes in as textContent: nothing a user typed can become markup.
function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function fill(parent, ...children) {
  parent.replaceChildren(...children);
  return parent;
}

function buttons(parent, names, chosen, onPick) {
  fill(parent, ...names.map((name, index) => {
    const button = node("button", "pv-btn", name);
    button.type = "button";
    button.setAttribute("aria-pressed", String(index === chosen));
    button.addEventListener("click", () => onPick(index));
    return button;
  }));
  parent.hidden = names.length < 2;
}

function press(parent, chosen) {
  [...parent.children].forEach((button, index) =>
    button.setAttribute("aria-pressed", String(index === chosen)));
}

function number(value) {
  if (value === null || !Number.isFinite(value)) return "none";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 0.001 && size < 10000 ? String(+value.toPrecision(4)) : value.toExponential(2);
}

const isDark = () => Boolean(element.closest(".dark") || document.body.classList.contains("dark"));
const plural = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

// A canvas as sharp as the screen, drawn in CSS pixels.
function context(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

function colour(unit) {
  const at = 3 * Math.round(255 * Math.min(1, Math.max(0, unit)));
  return `rgb(${view.colours[at]},${view.colours[at + 1]},${view.colours[at + 2]})`;
}

function colourBar(low, high, name) {
  const stops = Array.from({ length: 17 }, (_, i) => colour(i / 16)).join(",");
  const strip = node("span", "pv-strip");
  strip.style.background = `linear-gradient(to right,${stops})`;
  const ends = node("span", "pv-ends");
  ends.append(node("span", "", low), node("span", "pv-scalename", name), node("span", "", high));
  const bar = node("span", "pv-colourbar");
  bar.append(strip, ends);
  return bar;
}

// Percentile of each value among the finite ones; equal values share the middle.
function percentiles(values) {
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

function range(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

function swatch(kind, text) {
  const item = node("span", "pv-key");
  item.append(node("span", `pv-swatch pv-${kind}`), node("span", "", text));
  return item;
}

// Whether an answer is the baseline's, by a mark and in words.
function chip(same) {
  const made = node("span", `pv-chip pv-${same ? "same" : "differs"}`);
  const mark = node("b", "", same ? "=" : "≠");
  mark.setAttribute("aria-hidden", "true");
  made.append(mark, ` ${same ? "same answer" : "different answer"}`);
  return made;
}

// A slider's moves, straight from the browser: through Gradio they come a frame later.
function onSlide(id, move) {
  document.addEventListener("input", (event) => {
    const inside = event.target.closest && event.target.closest(`#${id}`);
    if (inside && event.target.value !== "") move(Number(event.target.value));
  }, true);
}

// From when a visitor changes what is asked until the next result, what a tab shows is of before.
const tabPanel = (name) => document.getElementById(`pv-tab-${name}`);
function watchStale(name) {
  const mark = () => { if (tabPanel(name)) tabPanel(name).dataset.stale = "yes"; };
  ["pruneviz:own", "pruneviz:example"].forEach((event) => window.addEventListener(event, mark));
  document.addEventListener("input", (event) => {
    if (event.target.closest && event.target.closest("#pv-question")) mark();
  }, true);
  return mark;
}
function fresh(name) {
  if (tabPanel(name)) delete tabPanel(name).dataset.stale;
}

// Whether part of the shown picture was never seen by the model.
function isCropped() {
  const [x0, y0, x1, y1] = view.window, [left, top, right, bottom] = view.seen;
  return left > x0 + 0.5 || top > y0 + 0.5 || right < x1 - 0.5 || bottom < y1 - 0.5;
}

// Where each patch lies, and which token a cell shows (-1 = none).
function geometry(data) {
  const cells = unpack.i4(data.cells);
  const cellToken = new Int32Array(data.rows * data.columns).fill(-1);
  cells.forEach((cell, token) => { if (cell >= 0) cellToken[cell] = token; });
  return { boxes: unpack.f4(data.boxes), cells, cellToken, colours: unpack.u1(data.colours) };
}
