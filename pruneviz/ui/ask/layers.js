// Small maps of one signal in every layer, on one scale, and one of them enlarged.
const SCALES = ["Linear", "Log", "Rank"];
const MISSING = () => (isDark() ? "#151a24" : "#dfe2e7");
const DECADES = 1e-6;
const MOST_ACROSS = 12;
const BIG = 400; // CSS pixels of an enlarged map's longer side

function decodeSignal(packed) {
  if (!packed) return null;
  const codes = unpack.u2(packed.codes), step = (packed.high - packed.low) / 65533;
  return Float64Array.from(codes, (code) => code === 0 ? NaN
    : Math.max(0, Math.exp(packed.low + (code - 1) * step) - packed.offset));
}

// One scale for both runs and all layers; ranks are within a layer.
function setScale() {
  const signal = view.signals[view.signal];
  const all = range([].concat(...signal.runs.filter(Boolean).map((run) => range(run))));
  let [low, high] = all;
  if (view.scaleName === "Log") {
    let least = high;
    for (const run of signal.runs) {
      for (const value of run || []) if (value > 0 && value < least) least = value;
    }
    low = Math.max(least, high * DECADES);
  }
  view.limits = [low, high];
}

function layerValues(layer) {
  const run = view.signals[view.signal].runs[view.run];
  return run.subarray(layer * view.tokens, (layer + 1) * view.tokens);
}

function units(values) {
  if (view.scaleName === "Rank") return percentiles(values);
  const log = view.scaleName === "Log";
  const [low, high] = view.limits.map((v) => (log ? Math.log(Math.max(v, 1e-300)) : v));
  return Float64Array.from(values, (v) => {
    if (!Number.isFinite(v)) return NaN;
    const at = log ? Math.log(Math.max(v, view.limits[0])) : v;
    return high > low ? (at - low) / (high - low) : 0.5;
  });
}

function mapShape(longest) {
  const [left, top, right, bottom] = view.seen;
  const wide = Math.max(1e-6, right - left), high = Math.max(1e-6, bottom - top);
  const scale = longest / Math.max(wide, high);
  return [Math.max(view.columns, wide * scale), Math.max(view.rows, high * scale)];
}

// One pixel a cell, enlarged without smoothing: smoothing would pretend a finer resolution.
function drawMap(canvas, layer, longest) {
  const small = new OffscreenCanvas(view.columns, view.rows), pixels = small.getContext("2d");
  const unit = units(layerValues(layer));
  pixels.fillStyle = MISSING();
  pixels.fillRect(0, 0, view.columns, view.rows);
  for (let token = 0; token < view.tokens; token++) {
    const cell = view.cells[token];
    if (cell < 0 || !Number.isFinite(unit[token])) continue;
    pixels.fillStyle = colour(unit[token]);
    pixels.fillRect(cell % view.columns, Math.floor(cell / view.columns), 1, 1);
  }
  const [width, height] = mapShape(longest);
  const ctx = context(canvas, width, height);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, 0, 0, width, height);
  return [ctx, width / view.columns, height / view.rows];
}

function sheet() {
  if (!view.ready || !view.signals.length) return;
  setScale();
  const pruned = new Set(view.run === 1 ? view.stages.map((stage) => stage.layer) : []);
  const layers = view.signals[view.signal].runs[view.run].length / view.tokens;
  const title = view.signals[view.signal].title;
  const rows = Math.ceil(layers / MOST_ACROSS);
  $(".pv-sheet").style.setProperty("--pv-columns", Math.ceil(layers / rows));
  fill($(".pv-sheet"), ...Array.from({ length: layers }, (_, layer) => {
    const tile = node("button", "pv-tile");
    tile.type = "button";
    const canvas = node("canvas");
    drawMap(canvas, layer, 128);
    canvas.style.width = canvas.style.height = "";
    const mark = pruned.has(layer + 1);
    tile.append(canvas, node("span", "", mark ? `${layer + 1} ✂` : String(layer + 1)));
    tile.classList.toggle("pv-cut", mark);
    tile.setAttribute("aria-pressed", String(layer === view.layer));
    tile.setAttribute("aria-label",
      `${title}, layer ${layer + 1}${mark ? ", patches are dropped after it" : ""}`);
    tile.addEventListener("click", () => goTo(layer));
    return tile;
  }));
  const [low, high] = view.limits;
  const bar = view.scaleName === "Rank" ? colourBar("lowest", "highest", "rank within the layer")
    : colourBar(number(low), number(high),
      `${view.scaleName.toLowerCase()}, shared by both runs and all layers`);
  const gone = swatch("none", "no value: dropped before");
  const keys = view.run === 1 ? [bar, gone] : [bar];
  if (pruned.size && (pruned.size > 1 || !pruned.has(0))) keys.push(swatch("cutkey", "✂ patches are dropped after this layer"));
  fill($(".pv-cbar"), ...keys);
  goTo(view.layer);
}

function enlarge() {
  if (!view.ready || !view.signals.length) return;
  const canvas = $(".pv-bigmap");
  const room = Math.min(canvas.parentElement.clientWidth || 320, BIG);
  const [ctx, w, h] = drawMap(canvas, view.layer, room);
  view.bigCell = [w, h];
  const signal = view.signals[view.signal];
  const name = ["baseline", "pruned run"][view.run];
  $(".pv-maptitle").textContent = `${signal.title}, layer ${view.layer + 1}, ${name}`;
  canvas.setAttribute("aria-label", `${$(".pv-maptitle").textContent}. Arrow keys move from patch to patch.`);
  const token = tokenAt(view.cursor), line = $(".pv-mapread");
  if (token < 0) {
    line.textContent = "Point at a cell to read its value.";
    return;
  }
  const row = Math.floor(view.cursor / view.columns), column = view.cursor % view.columns;
  ctx.lineWidth = 3;
  ctx.strokeStyle = "#111827";
  ctx.strokeRect(column * w, row * h, w, h);
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = "#ffffff";
  ctx.strokeRect(column * w, row * h, w, h);
  const values = layerValues(view.layer), value = values[token];
  const place = `Row ${row + 1}, column ${column + 1}: `;
  line.textContent = Number.isFinite(value)
    ? `${place}${number(value)}${signal.unit && ` ${signal.unit}`}, above ${Math.round(100 * percentiles(values)[token])} % of the patches in this layer.`
    : `${place}dropped before this layer.`;
}
