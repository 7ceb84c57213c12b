// State and events of the Compare tab. `element`, `props`, `trigger`, `watch` come from gr.HTML.
const view = { ready: false, preview: null, cursor: null, room: 0 };
const root = $(".pv-side-by-side");
const BUDGETS = { final: "left at the end", compute: "averaged over layers" };
function load() {
  const data = props.value;
  if (!data || !data.image) return;
  if (view.ready && view.image === data.image) {
    adopt(data, view.picture);
    return;
  }
  const picture = new Image();
  picture.onload = () => { if (props.value && props.value.image === data.image) adopt(props.value, picture); };
  picture.src = data.image;
}

function adopt(data, picture) {
  Object.assign(view, {
    ...data, ...geometry(data), picture, ready: true, preview: null, cursor: null,
    agreement: unpack.i4(data.agreement),
    panels: data.panels.map((panel) => (panel.ready
      ? { ...panel, state: unpack.u1(panel.state), order: unpack.i4(panel.order),
        holders: panel.holders ? unpack.i4(panel.holders) : null,
        previews: adoptPreviews(panel.previews, data.tokens) } : { ...panel })),
  });
  root.dataset.state = "ready";
  $(".pv-said b").textContent = data.baseline === null ? "…" : data.baseline || "(empty answer)";
  drawTable();
  fill($(".pv-panels"), ...view.panels.map(makeCard));
  fill($(".pv-glossary dl"), ...view.measures.flatMap(({ title, note }) =>
    [node("dt", "", title), node("dd", "", note)]));
  const items = [swatch("on", "kept"), swatch("off", "dropped")];
  if (view.mergedTitles.length) {
    items.push(swatch("groupkey", "merged: one colour a group, a dot on the token that holds it"));
  }
  if (isCropped()) items.push(swatch("unseen", "never seen by the model (cropped)"));
  fill($(".pv-masklegend"), ...items);
  $(".pv-agreement").hidden = view.overlapTitles.length < 2;
  $(".pv-agreement").classList.toggle("pv-many", view.overlapTitles.length > 9);
  if (view.overlapTitles.length >= 2) {
    agreementLegend();
    matrix();
  }
  adoptPair(pair.titles || []);
  paintAll();
}

function paintMasks() {
  const shown = view.panels.filter((panel) => panel.ready);
  if (!view.ready || !shown.length) return;
  const started = performance.now();
  view.room = shown[0].canvas.parentElement.clientWidth; // one width for all: one layout
  if (!view.room) return;
  shown.forEach(paintPanel);
  root.dataset.milliseconds = (performance.now() - started).toFixed(2);
  root.dataset.painted = shown.map((panel) => previewCount(panel) ?? panel.kept).join(":");
}

function paintAll() {
  if (!view.ready) return;
  paintMasks();
  paintAgreement();
  paintPair();
  agreementRead();
  const old = view.preview !== null, line = $(".pv-previewline");
  line.hidden = !old;
  line.textContent = old
    ? `Masks at ${number(view.preview.percent)} % (${BUDGETS[view.preview.kind]}). Answers and numbers are of the last run, at ${number(view.percent)} % (${BUDGETS[view.kind]}); press Compare to run it.`
    : "";
  $(".pv-agreement").classList.toggle("pv-stale", old);
  $(".pv-tablewrap").classList.toggle("pv-stale", old);
  for (const line of root.querySelectorAll(".pv-lastrun")) {
    line.textContent = old ? "Of the last run, not of the budget previewed above." : "";
  }
  $(".pv-pair").classList.toggle("pv-stale", old);
}

$(".pv-agreemap").addEventListener("pointermove", (event) => {
  const cell = view.ready ? cellUnder(event) : null;
  if (cell === view.cursor) return;
  view.cursor = cell;
  paintAgreement();
  agreementRead();
});
$(".pv-agreemap").addEventListener("pointerleave", () => {
  view.cursor = null;
  paintAgreement();
  agreementRead();
});
let resting = 0;
const REST = 450; // milliseconds without a move
let wanted = null; // the kind of budget that is chosen, if not the last run's
let latest = 0;
// No server takes part at whole percents.
function budgetAt(kind, percent) {
  if (!view.ready || !(percent > 0 && percent <= 100)) return;
  const turn = ++latest;
  const unknown = view.panels.filter((panel) =>
    panel.ready && countAt(panel.previews, kind, percent) === undefined);
  if (unknown.length) {
    Promise.all(unknown.map((panel) => learn(panel.previews, kind, percent)))
      .then(() => { if (turn === latest) budgetAt(kind, percent); });
    return;
  }
  const asRun = kind === view.kind && Math.abs(percent - view.percent) < 1e-6;
  view.preview = asRun ? null : { kind, percent };
  paintAll();
  clearTimeout(resting);
  if (!asRun) resting = setTimeout(() => trigger("rest", {}), REST);
}
onSlide("pv-budget", (percent) => budgetAt(wanted ?? view.kind, percent));
// Also when the number is typed or reset, and when the kind of budget changes.
window.addEventListener("pruneviz:budget", (event) => {
  wanted = event.detail.kind;
  budgetAt(wanted, Number(event.detail.percent));
});
let queued = 0;
new ResizeObserver(() => {
  cancelAnimationFrame(queued);
  queued = requestAnimationFrame(paintAll);
}).observe(root);
new MutationObserver(paintAll).observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("value", load);
load();
