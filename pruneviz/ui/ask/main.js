// State, controls and events of the Ask tab's canvas.
import { CHANGE, decodeSignal, enlarge, SCALES, sheet } from "./layers.js";
import { adoptFlow, noFlow, pointFlow, showFlow } from "./flowing.js";
import { askLooks, drawLooks, forgetLooks, noLooks, wireLooks } from "./looks.js";
import { forgetRan, wireRan } from "./lent.js";
import { drawEffects, forgetEffects, wireEffects } from "./matters.js";
import { paint, tallest } from "./paint.js";
import { adoptParts } from "./parts.js";
import { adoptPins, noPins, pinBar, settle, wirePins } from "./pins.js";
import { drawEntering, pause, wirePlayer } from "./player.js";
import { asText, badge, legend, partTitle, readout } from "./readout.js";
import { wireSlider } from "./slider.js";
import { buttons, fill, fresh, geometry, makeView, node, press, unpack } from "../shared/base.js";
import { cellUnder } from "../shared/patches.js";
import { adoptPreviews } from "../shared/previews.js";

function state() {
  return {
    ready: false, pinned: false, cursor: null, scaleName: SCALES[0], run: 1, onPicture: false,
    signal: 0, pins: noPins(), effects: null, looks: noLooks(), flowing: noFlow(),
    playing: 0,
    ran: [], // masks of budgets that ran behind the result: with them the preview is exact
    resting: 0, due: false, latest: 0, queued: 0,
  };
}

// The parts that belong elsewhere go there as soon as the page has their places.
function settleParts(view) {
  for (const part of [...view.root.querySelectorAll(":scope > .pv-part")]) {
    const slot = document.getElementById(`pv-${part.dataset.slot}-slot`);
    if (!slot) continue;
    view.elsewhere.push(part);
    slot.replaceChildren(part);
  }
}

// Tabs below the canvas are made when they are first looked at.
function awaitSlots(view) {
  const waiting = new MutationObserver(() => {
    settleParts(view);
    if (view.root.querySelector(":scope > .pv-part")) return;
    waiting.disconnect();
    later(view);
  });
  waiting.observe(document.body, { childList: true, subtree: true });
}

function turn(view, state) {
  settleParts(view);
  view.root.dataset.state = state;
  view.elsewhere.forEach((part) => { part.hidden = state !== "ready"; });
}

function load(view) {
  const data = view.given.props.value;
  if (!data || !data.image) {
    view.ready = false;
    turn(view, "empty");
    return;
  }
  const picture = new Image();
  picture.onload = () => adopt(view, data, picture);
  picture.src = data.image;
}

function adopt(view, data, picture) {
  const now = view.given.props.value;
  if (data !== now && now && now.image !== data.image) return;
  Object.assign(view, {
    ...data, picture, ready: true, preview: null, cursor: null, pinned: false,
    pins: view.pins, // the data's are those that it ran with
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
  adoptPins(view, data);
  adoptParts(view, data);
  const layers = data.perLayer[1].length;
  const firstCut = view.stages.length ? view.stages[0].layer : 1;
  view.layer = Math.min(layers, Math.max(1, firstCut)) - 1;
  pause(view);
  turn(view, "ready");
  fresh("ask");
  forgetRan(view);
  forgetEffects(view);
  forgetLooks(view);
  fitStage(view);
  controls(view);
  adoptFlow(view, data.flow);
  settle(view);
  sheet(view);
}

function controls(view) {
  const names = [`All ${view.tokens}`, ...view.stages.map((s) => `${s.title}: ${s.kept}`)];
  buttons(view.$(".pv-stages"), names, view.stage, (index) => {
    view.stage = index;
    view.preview = null;
    refresh(view);
  });
  const parts = [...new Set(view.stages.flatMap((stage) => Object.keys(stage.parts)))];
  const options = [["mask", "kept and dropped"], ["score", "score"],
    ...parts.map((name) => [name, partTitle(name)])];
  if (view.stages.some((stage) => stage.into)) options.splice(1, 0, ["groups", "merged groups"]);
  if (!options.some(([value]) => value === view.show)) view.show = "mask";
  fill(view.$(".pv-show"), ...options.map(([value, text]) => {
    const option = node("option", "", text);
    option.value = value;
    option.selected = value === view.show;
    return option;
  }));
  view.$(".pv-cropped").textContent = view.window[2] - view.window[0] < view.size[0]
    || view.window[3] - view.window[1] < view.size[1]
    ? `Part of the picture around what the model sees; the whole is ${view.size[0]} × ${view.size[1]} pixels.` : "";
  view.signal = Math.min(view.signal, Math.max(0, view.signals.length - 1));
  view.$(".pv-layers").hidden = !view.signals.length;
  buttons(view.$(".pv-signals"), view.signals.map((s) => s.title), view.signal, (index) => {
    view.signal = index;
    layerControls(view);
  });
  buttons(view.$(".pv-runs"), ["Baseline", "Pruned", "Change"], view.run, (index) => {
    view.run = index;
    layerControls(view);
  });
  buttons(view.$(".pv-scales"), SCALES, SCALES.indexOf(view.scaleName), (index) => {
    view.scaleName = SCALES[index];
    layerControls(view);
  });
  buttons(view.$(".pv-onto"), ["Map", "On the picture"], Number(view.onPicture), (index) => {
    view.onPicture = index === 1;
    layerControls(view);
  });
  layerControls(view);
}

function layerControls(view) {
  press(view.$(".pv-onto"), Number(view.onPicture));
  view.$(".pv-scales").hidden = view.run === CHANGE; // it has one of its own
  press(view.$(".pv-signals"), view.signal);
  press(view.$(".pv-runs"), view.run);
  press(view.$(".pv-scales"), SCALES.indexOf(view.scaleName));
  view.$(".pv-signote").textContent = view.signals.length ? view.signals[view.signal].note : "";
  sheet(view);
}

export function refresh(view) {
  press(view.$(".pv-stages"), view.preview === null ? view.stage : -1);
  view.$(".pv-show").disabled = view.stage === 0 || view.preview !== null;
  paint(view);
  badge(view);
  legend(view);
  pinBar(view);
  readout(view);
  view.$(".pv-astext p").textContent = asText(view);
}

function point(view, cell) {
  if (cell === view.cursor) return;
  view.cursor = cell;
  paint(view);
  readout(view);
  enlarge(view);
  drawEntering(view);
  pointFlow(view);
  drawLooks(view);
}

function bigCellUnder(view, event) {
  if (view.bigScale) return cellUnder(view, event, view.bigScale);
  const box = event.currentTarget.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left) / view.bigCell[0]);
  const row = Math.floor((event.clientY - box.top) / view.bigCell[1]);
  const inside = column >= 0 && row >= 0 && column < view.columns && row < view.rows;
  return inside ? row * view.columns + column : null;
}

function keys(view, event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -view.columns, ArrowDown: view.columns };
  if (!view.ready || !(event.key in steps) && event.key !== "Escape") return;
  event.preventDefault();
  if (event.key === "Escape") {
    view.pinned = false;
    point(view, null);
    return;
  }
  const from = view.cursor ?? 0, to = view.cursor === null ? 0 : from + steps[event.key];
  const sideways = Math.abs(steps[event.key]) === 1;
  const sameRow = Math.floor(to / view.columns) === Math.floor(from / view.columns);
  if (to >= 0 && to < view.cellToken.length && (!sideways || sameRow)) point(view, to);
}

export function wire(view, canvas, find) {
  canvas.addEventListener("pointermove", (event) => {
    if (view.ready && !view.pinned && !view.pins.brushing) point(view, find(event));
  });
  canvas.addEventListener("pointerleave", () => { if (!view.pinned) point(view, null); });
  canvas.addEventListener("click", (event) => {
    if (!view.ready || (canvas === view.$(".pv-canvas") && view.pins.mode !== "Look")) return;
    const cell = find(event);
    view.pinned = cell !== null && !(view.pinned && cell === view.cursor);
    view.cursor = null;
    point(view, cell);
  });
  canvas.addEventListener("keydown", (event) => keys(view, event));
}

// As wide as the picture can be at the height that it may have.
function fitStage(view) {
  const stage = view.root.closest(".pv-stage");
  if (!stage || !view.ready) return;
  const [x0, y0, x1, y1] = view.window;
  stage.style.setProperty("--pv-wanted", `${Math.round(tallest() * (x1 - x0) / (y1 - y0))}px`);
}

function later(view) {
  cancelAnimationFrame(view.queued);
  view.queued = requestAnimationFrame(() => {
    for (const draw of [paint, showFlow, enlarge, drawEntering, drawEffects, askLooks, drawLooks]) draw(view);
  });
}

function save(view) {
  const link = node("a");
  link.download = `pruneviz-${view.method}-${view.count}of${view.tokens}.png`;
  link.href = view.$(".pv-canvas").toDataURL("image/png");
  link.click();
}

// Drawn anew at another size or theme.
function follow(view) {
  const sizes = new ResizeObserver(() => later(view));
  for (const name of [".pv-pic", ".pv-layers", ".pv-matter", ".pv-looks"]) sizes.observe(view.$(name));
  window.addEventListener("resize", () => fitStage(view));
  new MutationObserver(() => {
    if (view.ready) for (const draw of [refresh, sheet, drawEffects, drawLooks]) draw(view);
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}

export function mount(given) {
  const view = makeView(given, ".pv-view", state());
  awaitSlots(view);
  wirePins(view);
  wireEffects(view);
  wirePlayer(view);
  wireLooks(view);
  wire(view, view.$(".pv-canvas"), (event) => cellUnder(view, event));
  wire(view, view.$(".pv-bigmap"), (event) => bigCellUnder(view, event));
  wire(view, view.$(".pv-enterpic"), (event) => cellUnder(view, event, view.enterScale));
  view.$(".pv-show").addEventListener("change", (event) => {
    view.show = event.target.value;
    refresh(view);
  });
  view.$(".pv-save").addEventListener("click", () => save(view));
  wireRan(view);
  wireSlider(view);
  follow(view);
  given.watch("value", () => load(view));
  load(view);
}
