// Small maps of one signal in every layer, on one scale, and one of them enlarged.
import { overlayMap } from "./matters.js";
import { goTo } from "./player.js";
import { tokenAt } from "./readout.js";
import {
  colour, colourBar, context, fill, isDark, node, number, percentiles, range, swatch, unpack,
} from "../shared/base.js";
import { place } from "../shared/patches.js";

// The first keeps one layer from flattening all others.
export const SCALES = ["Per layer", "Log", "Linear", "Rank"];
const MISSING = (view) => (isDark(view) ? "#151a24" : "#dfe2e7");
const DECADES = 1e-6;
export const BIG = 400; // CSS pixels of an enlarged map's longer side

export function decodeSignal(packed) {
  if (!packed) return null;
  const codes = unpack.u2(packed.codes), step = (packed.high - packed.low) / 65533;
  return Float64Array.from(codes, (code) => code === 0 ? NaN
    : Math.max(0, Math.exp(packed.low + (code - 1) * step) - packed.offset));
}

export const CHANGE = 2; // in place of a run: the pruned one over the baseline
export const shownRun = (view) => Math.min(view.run, 1);

// Of each run alone, of all of them, or of a layer by itself: what the colours reach over.
function setScale(view) {
  const { runs } = view.signals[view.signal];
  if (view.run === CHANGE) {
    const sizes = Float64Array.from(change(runs).filter(Number.isFinite), Math.abs).sort();
    const far = sizes.length ? sizes[Math.floor(0.98 * (sizes.length - 1))] || 1 : 1;
    view.limits = [-far, far];
    return;
  }
  let [low, high] = range([].concat(...runs.map((run) => range(run))));
  if (view.scaleName === "Log") {
    let least = high;
    for (const run of runs) {
      for (const value of run) if (value > 0 && value < least) least = value;
    }
    low = Math.max(least, high * DECADES);
  }
  view.limits = [low, high];
}

// How many times as large as in the baseline, in doublings.
const change = ([before, after]) => Float64Array.from(after, (value, at) =>
  value > 0 && before[at] > 0 ? Math.log2(value / before[at]) : NaN);

function layerValues(view, layer) {
  const { runs } = view.signals[view.signal];
  const from = layer * view.tokens, to = from + view.tokens;
  return view.run === CHANGE ? change(runs.map((run) => run.subarray(from, to)))
    : runs[view.run].subarray(from, to);
}

function units(view, values) {
  const changed = view.run === CHANGE;
  if (view.scaleName === "Rank" && !changed) return percentiles(values);
  const log = view.scaleName === "Log" && !changed;
  const ends = view.scaleName === "Per layer" && !changed ? range(values) : view.limits;
  const [low, high] = ends.map((v) => (log ? Math.log(Math.max(v, 1e-300)) : v));
  return Float64Array.from(values, (v) => {
    if (!Number.isFinite(v)) return NaN;
    const at = log ? Math.log(Math.max(v, ends[0])) : Math.min(high, Math.max(low, v));
    return high > low ? (at - low) / (high - low) : 0.5;
  });
}

function mapShape(view, longest) {
  const [left, top, right, bottom] = view.seen;
  const wide = Math.max(1e-6, right - left), high = Math.max(1e-6, bottom - top);
  const scale = longest / Math.max(wide, high);
  return [Math.max(view.columns, wide * scale), Math.max(view.rows, high * scale)];
}

// One pixel a cell, enlarged without smoothing: smoothing would pretend a finer resolution.
function drawMap(view, canvas, layer, longest) {
  const small = new OffscreenCanvas(view.columns, view.rows), pixels = small.getContext("2d");
  const unit = units(view, layerValues(view, layer));
  pixels.fillStyle = MISSING(view);
  pixels.fillRect(0, 0, view.columns, view.rows);
  for (let token = 0; token < view.tokens; token++) {
    const cell = view.cells[token];
    if (cell < 0 || !Number.isFinite(unit[token])) continue;
    pixels.fillStyle = colour(view, unit[token]);
    pixels.fillRect(cell % view.columns, Math.floor(cell / view.columns), 1, 1);
  }
  const [width, height] = mapShape(view, longest);
  const ctx = context(canvas, width, height);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, 0, 0, width, height);
  return [ctx, width / view.columns, height / view.rows];
}

export function sheet(view) {
  if (!view.ready || !view.signals.length) return;
  setScale(view);
  const pruned = new Set(view.run > 0 ? view.stages.map((stage) => stage.layer) : []);
  const layers = view.signals[view.signal].runs[shownRun(view)].length / view.tokens;
  const title = view.signals[view.signal].title;
  view.$(".pv-sheet").style.setProperty("--pv-columns", Math.ceil(Math.sqrt(layers)));
  fill(view.$(".pv-sheet"), ...Array.from({ length: layers }, (_, layer) => {
    const tile = node("button", "pv-tile");
    tile.type = "button";
    const canvas = node("canvas");
    drawMap(view, canvas, layer, 128);
    canvas.style.width = canvas.style.height = "";
    const mark = pruned.has(layer + 1);
    tile.append(canvas, node("span", "", mark ? `${layer + 1} ✂` : String(layer + 1)));
    tile.classList.toggle("pv-cut", mark);
    tile.setAttribute("aria-pressed", String(layer === view.layer));
    tile.setAttribute("aria-label",
      `${title}, layer ${layer + 1}${mark ? ", patches are dropped after it" : ""}`);
    tile.addEventListener("click", () => goTo(view, layer));
    return tile;
  }));
  const bar = scaleBar(view);
  const merges = view.stages.some((stage) => stage.into);
  const gone = swatch("none", `no value: dropped ${merges ? "or merged " : ""}before`);
  const keys = view.run > 0 ? [bar, gone] : [bar];
  if (pruned.size && (pruned.size > 1 || !pruned.has(0))) keys.push(swatch("cutkey", "✂ patches are dropped after this layer"));
  fill(view.$(".pv-cbar"), ...keys);
  goTo(view, view.layer);
}

function scaleBar(view) {
  const [low, high] = view.limits;
  if (view.run === CHANGE) {
    const times = number(2 ** high);
    return colourBar(view, `÷ ${times}`, `× ${times}`, "pruned over baseline; middle: unchanged");
  }
  if (view.scaleName === "Rank") return colourBar(view, "lowest", "highest", "rank within the layer");
  if (view.scaleName === "Per layer") {
    return colourBar(view, "lowest", "highest", "linear, each layer and run by itself");
  }
  return colourBar(view, number(low), number(high),
    `${view.scaleName.toLowerCase()}, shared by both runs and all layers`);
}

// The enlarged map by itself, or on the picture.
function bigMap(view, canvas) {
  if (!view.onPicture) {
    const [ctx, w, h] = drawMap(view, canvas, view.layer, Math.min(canvas.parentElement.clientWidth || 320, BIG));
    view.bigCell = [w, h];
    view.bigScale = null;
    return [ctx, (cell) => [cell % view.columns * w, Math.floor(cell / view.columns) * h, w, h]];
  }
  const drawn = overlayMap(view, canvas, units(view, layerValues(view, view.layer)));
  if (!drawn) return null;
  view.bigScale = drawn.scale;
  return [drawn.ctx, (cell) => place(view, cell, drawn.scale)];
}

export function enlarge(view) {
  if (!view.ready || !view.signals.length) return;
  const canvas = view.$(".pv-bigmap");
  const drawn = bigMap(view, canvas);
  if (!drawn) return;
  const [ctx, spot] = drawn;
  const signal = view.signals[view.signal];
  const name = ["baseline", "pruned run", "pruned over baseline"][view.run];
  view.$(".pv-maptitle").textContent = `${signal.title}, layer ${view.layer + 1}, ${name}`;
  canvas.setAttribute("aria-label", `${view.$(".pv-maptitle").textContent}. Arrow keys move from patch to patch.`);
  const token = tokenAt(view, view.cursor), line = view.$(".pv-mapread");
  if (token < 0) {
    line.textContent = "Point at a cell to read its value.";
    return;
  }
  const row = Math.floor(view.cursor / view.columns), column = view.cursor % view.columns;
  ctx.lineWidth = 3;
  ctx.strokeStyle = "#111827";
  ctx.strokeRect(...spot(view.cursor));
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = "#ffffff";
  ctx.strokeRect(...spot(view.cursor));
  const values = layerValues(view, view.layer), value = values[token];
  const said = view.run === CHANGE ? `${number(2 ** value)} times the baseline's`
    : `${number(value)}${signal.unit && ` ${signal.unit}`}`;
  const at = `Row ${row + 1}, column ${column + 1}: `;
  line.textContent = Number.isFinite(value)
    ? `${at}${said}, above ${Math.round(100 * percentiles(values)[token])} % of the patches in this layer.`
    : `${at}dropped before this layer.`;
}
