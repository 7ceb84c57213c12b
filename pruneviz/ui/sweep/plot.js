// Pieces of the plot: scales, ticks, marks. Colours are CSS classes, so that themes apply.
import { svg } from "../shared/base.js";

export const PAD = { left: 54, right: 16, top: 14, bottom: 46 };

// A method's own colour on both grounds and its dashes; CSS takes what suits the theme.
export const styleOf = (curve) =>
  `--light:${curve.look.light};--dark:${curve.look.dark};--dash:${curve.look.dash || "none"}`;

export function mark(curve, x, y, kind, size = 1) {
  return svg("path", {
    d: curve.look.path, class: `pv-mark pv-styled ${kind || ""}`, style: styleOf(curve),
    transform: `translate(${x.toFixed(1)},${y.toFixed(1)}) scale(${size})`,
  });
}

// What the random draws span, from lowest to highest, and their median.
export function drawBand(view, plot, area, bands, key) {
  const spots = bands.map((band) => ({ band, x: area.x(100 * band.kept / view.total) }));
  const along = (end, list = spots) => list.map((s) =>
    `${s.x.toFixed(1)},${area.y(s.band[key][end]).toFixed(1)}`).join("L");
  plot.append(
    svg("path", { class: "pv-band", d: `M${along(2)}L${along(0, [...spots].reverse())}Z` }),
    svg("path", { class: "pv-bandline", d: `M${along(1)}` }));
}

// Round numbers from low to high, about `wanted` of them.
export function linearTicks(low, high, wanted = 5) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
  const ticks = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) {
    ticks.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  }
  return ticks;
}

export function shortNumber(value) {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(0) : String(+value.toPrecision(3));
}

export function logTicks(low, high) {
  let ticks = [];
  // A narrow range needs closer ones: two would hardly say that the axis is logarithmic.
  for (const steps of [[1, 2, 5], [1, 2, 3, 5, 7], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    ticks = [];
    for (let power = -2; power <= 2; power++) {
      for (const m of steps) {
        const v = m * 10 ** power;
        if (v >= low * 0.999 && v <= high * 1.001) ticks.push(v);
      }
    }
    if (ticks.length >= 4) break;
  }
  return ticks;
}

export function axes(plot, area, xTicks, yTicks, names) {
  const { x, y, width, height } = area, bottom = height - PAD.bottom;
  for (const tick of yTicks) {
    plot.append(
      svg("line", { class: "pv-gridline", x1: PAD.left, x2: width - PAD.right, y1: y(tick.at), y2: y(tick.at) }),
      svg("text", { x: PAD.left - 7, y: y(tick.at) + 4, "text-anchor": "end" }, tick.text));
  }
  for (const tick of xTicks) {
    plot.append(
      svg("line", { class: "pv-gridline", x1: x(tick), x2: x(tick), y1: PAD.top, y2: bottom }),
      svg("text", { x: x(tick), y: bottom + 16, "text-anchor": "middle" }, `${+tick.toPrecision(3)} %`));
  }
  plot.append(svg("text", { class: "pv-axisname", x: (PAD.left + width - PAD.right) / 2,
    y: height - 8, "text-anchor": "middle" }, names));
}
