// Drawing: bands first, so that no line lies under another's band.
import { point, wire } from "./reading.js";
import { NARROW, scales, shown, sliceAt, state, unpruned, worthOf } from "./scales.js";
import { buttons, fill, makeView, node, press, svg } from "../shared/base.js";
import { axes, logTicks, mark, PAD, styleOf } from "../sweep/plot.js";

function load(view) {
  const { value } = view.given.props;
  if (!value || !value.curves) {
    view.ready = false;
    view.root.dataset.state = "empty";
    delete view.root.dataset.painted;
    return;
  }
  const at = view.at && { name: view.at.curve.name, budget: view.at.p.budget };
  Object.assign(view, value, { ready: true, at: null });
  view.root.dataset.state = "ready";
  buttons(view.$(".pv-muchaxes"), view.axisNames, view.axis, (index) => {
    view.axis = index;
    press(view.$(".pv-muchaxes"), index);
    draw(view);
  });
  fill(view.$(".pv-muchslice"), ...view.slices.map((slice) => {
    const option = node("option", "", slice.title);
    option.value = slice.name;
    return option;
  }));
  view.slice = view.slices[sliceAt(view)].name;
  view.$(".pv-muchslice").value = view.slice;
  series(view);
  draw(view, at);
}

function sample(...parts) {
  const box = svg("svg", { width: 34, height: 16, "aria-hidden": "true" });
  box.append(...parts);
  return box;
}

// The legend; a click hides or shows a method.
function series(view) {
  fill(view.$(".pv-series"), ...view.curves.map((curve) => {
    const button = node("button", "pv-serie");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!view.hidden.has(curve.name)));
    button.append(sample(line(curve, "M1,8L33,8"), mark(curve, 17, 8)),
      node("span", "", curve.title));
    button.addEventListener("click", () => {
      if (!view.hidden.delete(curve.name)) view.hidden.add(curve.name);
      button.setAttribute("aria-pressed", String(!view.hidden.has(curve.name)));
      draw(view);
    });
    return button;
  }), key(sample(svg("rect", { class: "pv-baseband", x: 1, y: 2, width: 32, height: 12 }),
    svg("line", { class: "pv-baseline", x1: 1, x2: 33, y1: 8, y2: 8 })), "Unpruned"),
  key(sample(svg("circle", { class: "pv-ring", cx: 17, cy: 8, r: 7 })), "Pareto front"),
  key(sample(svg("rect", { class: "pv-keyband", x: 1, y: 2, width: 32, height: 12 })), "95 % interval"));
}

function key(picture, text) {
  const item = node("span", "pv-key");
  item.append(picture, node("span", "", text));
  return item;
}

const line = (curve, d) =>
  svg("path", { class: "pv-curve pv-styled", style: styleOf(curve), d });
const path = (spots, up) => spots.map((s) => `${s.x.toFixed(1)},${up(s).toFixed(1)}`).join("L");

function draw(view, kept) {
  if (!view.ready) return;
  const plot = view.$(".pv-plot"), width = plot.parentElement.clientWidth;
  if (!width) return;
  const was = kept || (view.at && { name: view.at.curve.name, budget: view.at.p.budget });
  const height = width < NARROW ? 340 : 420, curves = shown(view), area = scales(view, curves, width, height);
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  plot.setAttribute("height", height);
  plot.replaceChildren();
  const ticks = logTicks(area.low, area.high).filter((t) => width >= NARROW || String(t)[0] !== "2");
  axes(plot, area, ticks, area.rows, view.axes[view.axis]);
  base(view, plot, area);
  view.dots = [];
  const placed = curves.map((curve) => ({ curve, spots: curve.points.map((p) => spot(view, curve, p, area)) }));
  for (const { curve, spots } of placed) plot.append(band(curve, spots));
  for (const { curve, spots } of placed) drawCurve(view, plot, curve, spots);
  plot.setAttribute("aria-label", described(view, curves));
  view.root.dataset.painted = `${view.axis}:${view.slice}:${view.dots.length}`;
  // A redraw (new rows, resize, theme) keeps what is being read.
  const found = was && view.dots.find((d) => d.curve.name === was.name && d.p.budget === was.budget);
  point(view, found || null);
}

function spot(view, curve, p, area) {
  const worth = worthOf(view, p);
  return { curve, p, worth, x: area.x(p.x[view.axis]), y: area.y(worth.at),
    low: area.y(worth.low), high: area.y(worth.high) };
}

function base(view, plot, area) {
  const worth = unpruned(view);
  if (!worth) return;
  const y = area.y(worth.at), right = area.width - PAD.right;
  plot.append(
    svg("rect", { class: "pv-baseband", x: PAD.left, width: right - PAD.left, y: area.y(worth.high),
      height: area.y(worth.low) - area.y(worth.high) }),
    svg("line", { class: "pv-baseline", x1: PAD.left, x2: right, y1: y, y2: y }));
}

// A single point has no width: its interval is a bar.
function band(curve, spots) {
  const d = spots.length > 1
    ? `M${path(spots, (s) => s.high)}L${path([...spots].reverse(), (s) => s.low)}Z`
    : `M${spots[0].x - 4},${spots[0].high}h8V${spots[0].low}h-8Z`;
  return svg("path", { class: "pv-interval pv-styled", style: styleOf(curve), d, "data-method": curve.name });
}

function drawCurve(view, plot, curve, spots) {
  plot.append(line(curve, `M${path(spots, (s) => s.y)}`));
  for (const s of spots) {
    plot.append(mark(curve, s.x, s.y));
    if (s.p.pareto && view.slice === "all") {
      plot.append(svg("circle", { class: "pv-ring pv-styled", style: styleOf(curve), cx: s.x, cy: s.y, r: 10 }));
    }
  }
  view.dots.push(...spots);
}

function described(view, curves) {
  const ends = curves.map((curve) => {
    const least = curve.points[0], most = curve.points[curve.points.length - 1];
    const told = [most, least].filter((p, place, all) => all.indexOf(p) === place);
    return told.map((p) => `${p.title}: ${worthOf(view, p).text}`).join("; ");
  });
  const first = unpruned(view) ? [`Unpruned: ${unpruned(view).text}`] : [];
  return `Accuracy against ${view.axisNames[view.axis].toLowerCase()}. ${[...first, ...ends].join(". ")}. ` +
    "Arrow keys move from point to point, Enter lists the questions lost there; all values are in the table below.";
}

export function mount(given) {
  const view = makeView(given, ".pv-howmuch", state());
  wire(view);
  view.$(".pv-muchslice").addEventListener("change", (event) => {
    view.slice = event.target.value;
    draw(view);
  });
  new ResizeObserver(() => {
    cancelAnimationFrame(view.queued);
    view.queued = requestAnimationFrame(() => draw(view));
  }).observe(view.$(".pv-plotbox"));
  given.watch("value", () => load(view));
  load(view);
}
