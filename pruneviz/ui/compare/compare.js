// State and events of the Compare tab.
import { drawAgainst, wireAgainst } from "./against.js";
import { agreementLegend, agreementRead, matrix, paintAgreement } from "./agreement.js";
import { adoptPair, firstPair, paintPair, wirePair } from "./pair.js";
import { makeCard, paintPanel, previewCount } from "./panels.js";
import { drawTable, firstOrder } from "./table.js";
import {
  fill, geometry, isCropped, makeView, node, number, onSlide, swatch, unpack,
} from "../shared/base.js";
import { cellUnder } from "../shared/patches.js";
import { adoptPreviews, countAt, learn } from "../shared/previews.js";

const BUDGETS = { final: "left at the end", compute: "averaged over layers" };
function state() {
  return {
    ready: false, preview: null, cursor: null, room: 0, pair: firstPair(), table: firstOrder(),
    wanted: null, // the kind of budget that is chosen, if not the last run's
    resting: 0, latest: 0, queued: 0,
  };
}

function load(view) {
  const data = view.given.props.value;
  if (!data || !data.image) return;
  if (view.ready && view.image === data.image) {
    adopt(view, data, view.picture);
    return;
  }
  const picture = new Image();
  picture.onload = () => {
    const now = view.given.props.value;
    if (now && now.image === data.image) adopt(view, now, picture);
  };
  picture.src = data.image;
}

function adopt(view, data, picture) {
  Object.assign(view, {
    ...data, ...geometry(data), picture, ready: true, preview: null, cursor: null,
    agreement: unpack.i4(data.agreement),
    panels: data.panels.map((panel) => (panel.ready
      ? { ...panel, state: unpack.u1(panel.state), order: unpack.i4(panel.order),
        holders: panel.holders ? unpack.i4(panel.holders) : null,
        previews: adoptPreviews(panel.previews, data.tokens) } : { ...panel })),
  });
  view.root.dataset.state = "ready";
  view.$(".pv-said b").textContent = data.baseline === null ? "…" : data.baseline || "(empty answer)";
  drawTable(view);
  fill(view.$(".pv-panels"), ...view.panels.map((panel) => makeCard(view, panel)));
  fill(view.$(".pv-glossary dl"), ...view.measures.flatMap(({ title, note }) =>
    [node("dt", "", title), node("dd", "", note)]));
  const items = [swatch("on", "kept"), swatch("off", "dropped")];
  if (view.mergedTitles.length) {
    items.push(swatch("groupkey", "merged: one colour a group, a dot on the token that holds it"));
  }
  if (isCropped(view)) items.push(swatch("unseen", "never seen by the model (cropped)"));
  fill(view.$(".pv-masklegend"), ...items);
  view.$(".pv-agreement").hidden = view.overlapTitles.length < 2;
  view.$(".pv-agreement").classList.toggle("pv-many", view.overlapTitles.length > 9);
  if (view.overlapTitles.length >= 2) {
    agreementLegend(view);
    matrix(view);
  }
  adoptPair(view, view.pair.titles);
  paintAll(view);
}

function paintMasks(view) {
  const shown = view.panels.filter((panel) => panel.ready);
  if (!view.ready || !shown.length) return;
  const started = performance.now();
  view.room = shown[0].canvas.parentElement.clientWidth; // one width for all: one layout
  if (!view.room) return;
  shown.forEach((panel) => paintPanel(view, panel));
  view.root.dataset.milliseconds = (performance.now() - started).toFixed(2);
  view.root.dataset.painted = shown.map((panel) => previewCount(view, panel) ?? panel.kept).join(":");
}

function paintAll(view) {
  if (!view.ready) return;
  paintMasks(view);
  paintAgreement(view);
  paintPair(view);
  agreementRead(view);
  const old = view.preview !== null, line = view.$(".pv-previewline");
  line.hidden = !old;
  line.textContent = old
    ? `Masks at ${number(view.preview.percent)} % (${BUDGETS[view.preview.kind]}). Answers and numbers are of the last run, at ${number(view.percent)} % (${BUDGETS[view.kind]}); press Compare to run it.`
    : "";
  view.$(".pv-agreement").classList.toggle("pv-stale", old);
  view.$(".pv-tablewrap").classList.toggle("pv-stale", old);
  for (const line of view.root.querySelectorAll(".pv-lastrun")) {
    line.textContent = old ? "Of the last run, not of the budget previewed above." : "";
  }
  view.$(".pv-pair").classList.toggle("pv-stale", old);
}

function wireAgreement(view) {
  view.$(".pv-agreemap").addEventListener("pointermove", (event) => {
    const cell = view.ready ? cellUnder(view, event) : null;
    if (cell === view.cursor) return;
    view.cursor = cell;
    paintAgreement(view);
    agreementRead(view);
  });
  view.$(".pv-agreemap").addEventListener("pointerleave", () => {
    view.cursor = null;
    paintAgreement(view);
    agreementRead(view);
  });
}

const REST = 450; // milliseconds without a move
// No server takes part at whole percents.
function budgetAt(view, kind, percent) {
  if (!view.ready || !(percent > 0 && percent <= 100)) return;
  const turn = ++view.latest;
  const unknown = view.panels.filter((panel) =>
    panel.ready && countAt(panel.previews, kind, percent) === undefined);
  if (unknown.length) {
    Promise.all(unknown.map((panel) => learn(view, panel.previews, kind, percent)))
      .then(() => { if (turn === view.latest) budgetAt(view, kind, percent); });
    return;
  }
  const asRun = kind === view.kind && Math.abs(percent - view.percent) < 1e-6;
  view.preview = asRun ? null : { kind, percent };
  paintAll(view);
  clearTimeout(view.resting);
  if (!asRun) view.resting = setTimeout(() => view.given.trigger("rest", {}), REST);
}

function listen(view) {
  onSlide("pv-budget", (percent) => budgetAt(view, view.wanted ?? view.kind, percent));
  // Also when the number is typed or reset, and when the kind of budget changes.
  window.addEventListener("pruneviz:budget", (event) => {
    view.wanted = event.detail.kind;
    budgetAt(view, view.wanted, Number(event.detail.percent));
  });
}

// Drawn anew at another size or theme.
function follow(view) {
  new ResizeObserver(() => {
    cancelAnimationFrame(view.queued);
    view.queued = requestAnimationFrame(() => paintAll(view));
  }).observe(view.root);
  new MutationObserver(() => paintAll(view))
    .observe(document.body, { attributes: true, attributeFilter: ["class"] });
}

export function mount(given) {
  const view = makeView(given, ".pv-side-by-side", state());
  wirePair(view);
  wireAgainst(view);
  wireAgreement(view);
  listen(view);
  follow(view);
  given.watch("value", () => {
    drawAgainst(view);
    load(view);
  });
  drawAgainst(view);
  load(view);
}
