// State, controls and events. `element`, `props` and `watch` come from gr.HTML.
const view = { ready: false, pinned: false, cursor: null, scaleName: SCALES[0], run: 1, onPicture: false, signal: 0 };
const root = $(".pv-view");

// The parts that belong elsewhere go there as soon as the page has their places.
function settleParts() {
  for (const part of [...root.querySelectorAll(":scope > .pv-part")]) {
    const slot = document.getElementById(`pv-${part.dataset.slot}-slot`);
    if (!slot) continue;
    elsewhere.push(part);
    slot.replaceChildren(part);
  }
}

// Tabs below the canvas are made when they are first looked at.
const waiting = new MutationObserver(() => {
  settleParts();
  if (root.querySelector(":scope > .pv-part")) return;
  waiting.disconnect();
  later();
});
waiting.observe(document.body, { childList: true, subtree: true });

function turn(state) {
  settleParts();
  root.dataset.state = state;
  elsewhere.forEach((part) => { part.hidden = state !== "ready"; });
}

function load() {
  const data = props.value;
  if (!data || !data.image) {
    view.ready = false;
    turn("empty");
    return;
  }
  const picture = new Image();
  picture.onload = () => adopt(data, picture);
  picture.src = data.image;
}

function adopt(data, picture) {
  if (data !== props.value && props.value && props.value.image !== data.image) return;
  Object.assign(view, {
    ...data, picture, ready: true, preview: null, cursor: null, pinned: false,
    ...geometry(data),
    order: unpack.i4(data.order),
    previews: adoptPreviews(data.previews, data.tokens),
    stages: data.stages.map((stage) => ({
      ...stage,
      state: unpack.u1(stage.state),
      ranks: unpack.i4(stage.ranks),
      scores: unpack.f4(stage.scores),
      into: stage.into ? unpack.i4(stage.into) : null,
      parts: Object.fromEntries(Object.entries(stage.parts).map(([k, v]) => [k, unpack.f4(v)])),
    })),
    signals: data.signals.map((s) => ({ ...s, runs: s.runs.map(decodeSignal) }))
      .filter((s) => s.runs.every(Boolean)),
  });
  view.stage = view.stages.length;
  adoptPins(data);
  adoptParts(data);
  const layers = data.perLayer[1].length;
  const firstCut = view.stages.length ? view.stages[0].layer : 1;
  view.layer = Math.min(layers, Math.max(1, firstCut)) - 1;
  pause();
  turn("ready");
  fresh("ask");
  forgetRan();
  forgetEffects();
  forgetLooks();
  fitStage();
  controls();
  adoptFlow(data.flow);
  settle();
  sheet();
}

function controls() {
  const names = [`All ${view.tokens}`, ...view.stages.map((s) => `${s.title}: ${s.kept}`)];
  buttons($(".pv-stages"), names, view.stage, (index) => {
    view.stage = index;
    view.preview = null;
    refresh();
  });
  const parts = [...new Set(view.stages.flatMap((stage) => Object.keys(stage.parts)))];
  const options = [["mask", "kept and dropped"], ["score", "score"],
    ...parts.map((name) => [name, partTitle(name)])];
  if (view.stages.some((stage) => stage.into)) options.splice(1, 0, ["groups", "merged groups"]);
  if (!options.some(([value]) => value === view.show)) view.show = "mask";
  fill($(".pv-show"), ...options.map(([value, text]) => {
    const option = node("option", "", text);
    option.value = value;
    option.selected = value === view.show;
    return option;
  }));
  $(".pv-cropped").textContent = view.window[2] - view.window[0] < view.size[0]
    || view.window[3] - view.window[1] < view.size[1]
    ? `Part of the picture around what the model sees; the whole is ${view.size[0]} × ${view.size[1]} pixels.` : "";
  view.signal = Math.min(view.signal, Math.max(0, view.signals.length - 1));
  $(".pv-layers").hidden = !view.signals.length;
  buttons($(".pv-signals"), view.signals.map((s) => s.title), view.signal, (index) => {
    view.signal = index;
    layerControls();
  });
  buttons($(".pv-runs"), ["Baseline", "Pruned", "Change"], view.run, (index) => {
    view.run = index;
    layerControls();
  });
  buttons($(".pv-scales"), SCALES, SCALES.indexOf(view.scaleName), (index) => {
    view.scaleName = SCALES[index];
    layerControls();
  });
  buttons($(".pv-onto"), ["Map", "On the picture"], Number(view.onPicture), (index) => {
    view.onPicture = index === 1;
    layerControls();
  });
  layerControls();
}

function layerControls() {
  press($(".pv-onto"), Number(view.onPicture));
  $(".pv-scales").hidden = view.run === CHANGE; // it has one of its own
  press($(".pv-signals"), view.signal);
  press($(".pv-runs"), view.run);
  press($(".pv-scales"), SCALES.indexOf(view.scaleName));
  $(".pv-signote").textContent = view.signals.length ? view.signals[view.signal].note : "";
  sheet();
}

function refresh() {
  press($(".pv-stages"), view.preview === null ? view.stage : -1);
  $(".pv-show").disabled = view.stage === 0 || view.preview !== null;
  paint();
  badge();
  legend();
  pinBar();
  readout();
  $(".pv-astext p").textContent = asText();
}

function point(cell) {
  if (cell === view.cursor) return;
  view.cursor = cell;
  paint();
  readout();
  enlarge();
  drawEntering();
  pointFlow();
  drawLooks();
}

function bigCellUnder(event) {
  if (view.bigScale) return cellUnder(event, view.bigScale);
  const box = event.currentTarget.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left) / view.bigCell[0]);
  const row = Math.floor((event.clientY - box.top) / view.bigCell[1]);
  const inside = column >= 0 && row >= 0 && column < view.columns && row < view.rows;
  return inside ? row * view.columns + column : null;
}

function keys(event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -view.columns, ArrowDown: view.columns };
  if (!view.ready || !(event.key in steps) && event.key !== "Escape") return;
  event.preventDefault();
  if (event.key === "Escape") {
    view.pinned = false;
    point(null);
    return;
  }
  const from = view.cursor ?? 0, to = view.cursor === null ? 0 : from + steps[event.key];
  const sideways = Math.abs(steps[event.key]) === 1;
  const sameRow = Math.floor(to / view.columns) === Math.floor(from / view.columns);
  if (to >= 0 && to < view.cellToken.length && (!sideways || sameRow)) point(to);
}

function wire(canvas, find) {
  canvas.addEventListener("pointermove", (event) => {
    if (view.ready && !view.pinned && !pins.brushing) point(find(event));
  });
  canvas.addEventListener("pointerleave", () => { if (!view.pinned) point(null); });
  canvas.addEventListener("click", (event) => {
    if (!view.ready || (canvas === $(".pv-canvas") && pins.mode !== "Look")) return;
    const cell = find(event);
    view.pinned = cell !== null && !(view.pinned && cell === view.cursor);
    view.cursor = null;
    point(cell);
  });
  canvas.addEventListener("keydown", keys);
}

wirePins();
wireEffects();
wirePlayer();
wireLooks();
wire($(".pv-canvas"), cellUnder);
wire($(".pv-bigmap"), bigCellUnder);
wire($(".pv-enterpic"), (event) => cellUnder(event, view.enterScale));
$(".pv-show").addEventListener("change", (event) => {
  view.show = event.target.value;
  refresh();
});
$(".pv-save").addEventListener("click", () => {
  const link = node("a");
  link.download = `pruneviz-${view.method}-${view.count}of${view.tokens}.png`;
  link.href = $(".pv-canvas").toDataURL("image/png");
  link.click();
});
let resting = 0, due = false;
const REST = 450; // milliseconds without a move
function rest() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    due = false;
    trigger("rest", {});
  }, REST);
}
let latest = 0;
// No server takes part at whole percents.
function keepAt(percent) {
  if (!view.ready || !(percent > 0) || !view.stages.length) return;
  const turn = ++latest, count = countAt(view.previews, "final", percent);
  if (count === undefined) {
    learn(view.previews, "final", percent).then(() => { if (turn === latest) keepAt(percent); });
    return;
  }
  Object.assign(view, { budget: count, percent });
  settle();
  clearTimeout(resting);
  if (view.preview !== null || view.budget === BEYOND || due) rest();
}
onSlide("pv-keep", keepAt);
// Also when the number is typed, reset or set with an example.
window.addEventListener("pruneviz:keep", (event) => keepAt(Number(event.detail)));
// An example was chosen; if that moves the slider too, one run answers both.
window.addEventListener("pruneviz:example", () => {
  if (!root.offsetParent) return;
  due = true;
  rest();
});
// As wide as the picture can be at the height that it may have.
function fitStage() {
  const stage = root.closest(".pv-stage");
  if (!stage || !view.ready) return;
  const [x0, y0, x1, y1] = view.window;
  stage.style.setProperty("--pv-wanted", `${Math.round(tallest() * (x1 - x0) / (y1 - y0))}px`);
}
let queued = 0;
const later = () => {
  cancelAnimationFrame(queued);
  queued = requestAnimationFrame(() => { paint(); showFlow(); enlarge(); drawEntering(); drawEffects(); askLooks(); drawLooks(); });
};
const sizes = new ResizeObserver(later);
sizes.observe($(".pv-pic"));
sizes.observe($(".pv-layers"));
sizes.observe($(".pv-matter"));
sizes.observe($(".pv-looks"));
window.addEventListener("resize", fitStage);
new MutationObserver(() => { if (view.ready) { refresh(); sheet(); drawEffects(); drawLooks(); } })
  .observe(document.body, { attributes: true, attributeFilter: ["class"] });
const stale = watchStale("ask");
document.addEventListener("input", (event) => {
  if (event.target.closest && event.target.closest("#pv-method")) stale();
}, true);
watch("value", load);
load();
