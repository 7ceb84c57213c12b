// State, drawing and events of the Sweep tab.
import { buttons, fill, makeView, node, plural, press, range, svg } from "../shared/base.js";
import { axes, drawBand, linearTicks, logTicks, mark, PAD, shortNumber, styleOf } from "./plot.js";

function state() {
  return {
    ready: false, measure: 0, across: "kept", hidden: new Set(), at: null, dots: [], queued: 0,
  };
}

const MEASURES = [
  { name: "Log-probability", key: "answer_logprob",
    note: "How likely the pruned model finds the baseline's answer, per token (0 = certain). Higher is better; the dashed line is the baseline itself." },
  { name: "First-token KL", key: "first_token_kl",
    note: "How far the first answer token's probabilities moved from the baseline's, in nats. Lower is better; 0 = not at all." },
  { name: "Largest KL", key: "largest_kl",
    note: "The largest move of an answer token's probabilities, the baseline's words before it given, in nats. Lower is better; 0 = not at all." },
  { name: "Same answer", key: "exact_match",
    note: "Whether the answer is the baseline's, token for token: filled = the same, hollow = another." },
];
const signed = (text) => String(text).replace("-", "−");
const shown = (view) => view.curves.filter((curve) => curve.points.length && !view.hidden.has(curve.name));
const xOf = (view, point) => 100 * point[view.across] / view.total;

function load(view) {
  if (!view.given.props.value) return;
  Object.assign(view, view.given.props.value, { ready: true, at: null });
  view.root.dataset.state = "ready";
  view.$(".pv-said b").textContent = view.baseline === null ? "…" : view.baseline || "(empty answer)";
  buttons(view.$(".pv-measures"), MEASURES.map((m) => m.name), view.measure, (index) => {
    view.measure = index;
    press(view.$(".pv-measures"), index);
    draw(view);
  });
  series(view);
  draw(view);
}

// The legend; a click hides or shows a method.
function series(view) {
  fill(view.$(".pv-series"), ...view.curves.map((curve) => {
    const button = node("button", "pv-serie");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!view.hidden.has(curve.name)));
    const sample = svg("svg", { width: 34, height: 14, "aria-hidden": "true" });
    sample.append(svg("line", { class: "pv-curve pv-styled", style: styleOf(curve), x1: 1, x2: 33, y1: 7, y2: 7 }),
      mark(curve, 17, 7));
    button.append(sample, node("span", "", curve.title));
    if (curve.noBetter) button.append(node("small", "pv-bad", "no better than the luckiest draw"));
    button.addEventListener("click", () => {
      if (!view.hidden.delete(curve.name)) view.hidden.add(curve.name);
      button.setAttribute("aria-pressed", String(!view.hidden.has(curve.name)));
      draw(view);
    });
    return button;
  }), ringKey(), ...(view.chance.length ? [bandKey(view)] : []));
}

function ringKey() {
  const item = node("span", "pv-key"), sample = svg("svg", { width: 20, height: 20, "aria-hidden": "true" });
  sample.append(svg("circle", { class: "pv-ring", cx: 10, cy: 10, r: 8 }));
  item.append(sample, node("span", "", "break point: from here up, the baseline's answer"));
  return item;
}

function bandKey(view) {
  const item = node("span", "pv-key"), sample = svg("svg", { width: 34, height: 14, "aria-hidden": "true" });
  sample.append(svg("rect", { class: "pv-band", x: 0, y: 1, width: 34, height: 12 }),
    svg("line", { class: "pv-bandline", x1: 0, x2: 34, y1: 7, y2: 7 }));
  item.append(sample, node("span", "", `chance: ${view.chance[0].draws} random draws, lowest to highest`));
  return item;
}

function scales(view, width, height) {
  const curves = shown(view), measure = MEASURES[view.measure];
  const xs = curves.flatMap((c) => c.points.map((point) => xOf(view, point))).filter((v) => v > 0);
  const low = Math.min(50, ...xs) * 0.9, high = 104;
  const x = (v) => PAD.left + (width - PAD.left - PAD.right) * Math.log(v / low) / Math.log(high / low);
  const inside = height - PAD.top - PAD.bottom;
  if (measure.key === "exact_match") {
    const rows = curves.map((curve, row) => ({ at: row, text: "" }));
    return { x, y: (row) => PAD.top + inside * (row + 0.5) / Math.max(1, rows.length), rows, low, high };
  }
  const values = curves.flatMap((c) => c.points.map((p) => p[measure.key]));
  values.push(...view.chance.flatMap((band) => band[measure.key]));
  if (measure.key === "answer_logprob" && Number.isFinite(view.baselineLogprob)) values.push(view.baselineLogprob);
  let [bottom, top] = range([...values, 0]);
  if (top - bottom < 1e-6) [bottom, top] = [Math.min(bottom, -0.1), Math.max(top, 0.1)];
  const room = 0.06 * (top - bottom);
  if (bottom < 0) bottom -= room;
  if (top > 0) top += room;
  const y = (v) => PAD.top + inside * (top - v) / (top - bottom);
  const rows = linearTicks(bottom, top).map((at) => ({ at, text: signed(shortNumber(at)) }));
  return { x, y, rows, low, high };
}

function draw(view) {
  if (!view.ready) return;
  const plot = view.$(".pv-plot"), width = plot.parentElement.clientWidth;
  if (!width) return;
  const measure = MEASURES[view.measure], same = measure.key === "exact_match";
  // A row a method, with its name above it, needs room for both.
  const least = same ? 70 + 30 * shown(view).length : 0;
  const height = Math.max(least, width < 560 ? 330 : 400);
  const area = { ...scales(view, width, height), width, height };
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  plot.setAttribute("height", height);
  plot.replaceChildren();
  const ticks = logTicks(area.low, area.high).filter((t) => width >= 560 || String(t)[0] !== "2");
  axes(plot, area, ticks, area.rows, view.across === "kept"
    ? "Patches left at the end (log scale)" : "Patches averaged over layers (log scale)");
  if (measure.key === "answer_logprob" && Number.isFinite(view.baselineLogprob)) {
    const y = area.y(view.baselineLogprob);
    plot.append(svg("line", { class: "pv-baseline", x1: PAD.left, x2: width - PAD.right, y1: y, y2: y }));
  }
  if (!same && view.chance.length) drawBand(view, plot, area, view.chance, measure.key);
  view.dots = [];
  shown(view).forEach((curve, row) => drawCurve(view, plot, area, curve, same ? row : null, measure.key));
  view.$(".pv-measurenote").textContent = measure.note;
  plot.setAttribute("aria-label", `${measure.name} of ${plural(shown(view).length, "method")} against the ` +
    `share of patches kept${view.chance.length ? `, with the band of ${view.chance[0].draws} random draws` : ""}. ` + "Arrow keys move from point to point; all values are in the table below.");
  view.root.dataset.painted = `${measure.key}:${view.across}:${view.dots.length}`;
  // A redraw (resize, theme) keeps what is being read.
  point(view, (view.at && view.dots.find((dot) => dot.p === view.at.p)) || null);
}

function drawCurve(view, plot, area, curve, row, key) {
  const spots = curve.points.map((p) => ({
    curve, p, x: area.x(xOf(view, p)), y: area.y(row === null ? p[key] : row),
  }));
  if (row !== null) {
    plot.append(svg("text", { class: "pv-rowname", x: PAD.left + 4, y: spots[0].y - 12 }, curve.title));
  }
  plot.append(svg("path", { class: "pv-curve pv-styled", style: styleOf(curve),
    d: "M" + spots.map((s) => `${s.x.toFixed(1)},${s.y.toFixed(1)}`).join("L") }));
  for (const spot of spots) {
    const kind = row !== null && !spot.p.exact_match ? "pv-hollow" : "";
    plot.append(mark(curve, spot.x, spot.y, kind, spot.p.searched && row === null ? 0.6 : 1));
    if (curve.breakAt === spot.p.kept) {
      plot.append(svg("circle", { class: "pv-ring pv-styled", style: styleOf(curve), cx: spot.x, cy: spot.y, r: 10 }));
    }
  }
  view.dots.push(...spots);
}

// Say everything about one point, beside it and in the line below.
function point(view, spot) {
  view.at = spot;
  const tip = view.$(".pv-tip"), plot = view.$(".pv-plot");
  plot.querySelectorAll(".pv-aim").forEach((old) => old.remove());
  tip.hidden = spot === null;
  if (spot === null) {
    view.$(".pv-plotread").textContent = "Point at a mark to read its values, or focus the plot and use the arrow keys. Click a method above to hide it.";
    return;
  }
  const { p, curve } = spot, lines = p.lines;
  plot.append(svg("circle", { class: "pv-aim", cx: spot.x, cy: spot.y, r: 13 }));
  const verdict = p.exact_match ? "= same answer" : `≠ ${p.text || "(empty answer)"}`;
  const name = curve.title + (curve.breakAt === p.kept ? ", break point: from here up, the baseline's answer" : "");
  fill(tip, node("b", "", name), ...lines.map((line) => node("span", "", line)),
    node("span", p.exact_match ? "pv-good" : "pv-bad", verdict));
  const box = plot.getBoundingClientRect(), wide = tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(spot.x + 16, box.width - wide))}px`;
  tip.style.top = `${spot.x + 16 + wide > box.width ? spot.y + 18 : Math.max(0, spot.y - 20)}px`;
  view.$(".pv-plotread").textContent = `${name}: ${lines.join("; ")}; ${verdict}`;
}

function nearest(view, event) {
  const box = view.$(".pv-plot").getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  let best = null, least = 40 * 40;
  for (const spot of view.dots) {
    const away = (spot.x - x) ** 2 + (spot.y - y) ** 2;
    if (away < least) [best, least] = [spot, away];
  }
  return best;
}

function step(view, event) {
  const moves = { ArrowLeft: 1, ArrowRight: -1, ArrowUp: 0, ArrowDown: 0 };
  if (event.key === "Escape") point(view, null);
  if (!(event.key in moves) || !view.dots.length) return;
  event.preventDefault();
  if (!view.at) {
    point(view, view.dots[0]);
    return;
  }
  const own = view.dots.filter((d) => d.curve === view.at.curve), place = own.indexOf(view.at);
  if (moves[event.key]) {
    point(view, own[Math.min(own.length - 1, Math.max(0, place + moves[event.key]))]);
    return;
  }
  const curves = shown(view), row = curves.indexOf(view.at.curve) + (event.key === "ArrowUp" ? -1 : 1);
  const next = view.dots.filter((d) => d.curve === curves[(row + curves.length) % curves.length]);
  point(view, next.reduce((a, b) => (Math.abs(b.x - view.at.x) < Math.abs(a.x - view.at.x) ? b : a)));
}

// While the plot has the focus, a pointer that rests or passes by does not take the reading away.
function hover(view, event) {
  const found = event.type === "pointerleave" ? null : nearest(view, event);
  if (found || document.activeElement !== view.$(".pv-plot")) point(view, found);
}

function wire(view) {
  for (const type of ["pointermove", "pointerdown", "pointerleave"]) {
    view.$(".pv-plot").addEventListener(type, (event) => hover(view, event));
  }
  view.$(".pv-plot").addEventListener("keydown", (event) => step(view, event));
  view.$(".pv-across").addEventListener("change", (event) => {
    view.across = event.target.value;
    draw(view);
  });
  new ResizeObserver(() => {
    cancelAnimationFrame(view.queued);
    view.queued = requestAnimationFrame(() => draw(view));
  }).observe(view.$(".pv-plotbox"));
}

export function mount(given) {
  const view = makeView(given, ".pv-sweep", state());
  wire(view);
  given.watch("value", () => load(view));
  load(view);
}
