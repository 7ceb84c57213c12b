// Pieces of the plot: scales, ticks, marks. Colours are CSS classes, so that themes apply.
const SVG = "http://www.w3.org/2000/svg";
const PAD = { left: 54, right: 16, top: 14, bottom: 46 };
const COLOURS = 7;
const MARKS = [
  "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0", // circle
  "M-4.5,-4.5h9v9h-9z", // square
  "M0,-6L5.5,4.5H-5.5z", // triangle
  "M0,-6.5L5.5,0L0,6.5L-5.5,0z", // diamond
  "M0,6L5.5,-4.5H-5.5z", // triangle downwards
  "M-3,-5.5h6L6,0L3,5.5h-6L-6,0z", // hexagon
  "M-6,0L4.5,-5.5V5.5z", // triangle to the left
];
const CONTROL_MARKS = [
  "M-1.7,-5.5h3.4v3.8h3.8v3.4h-3.8v3.8h-3.4v-3.8h-3.8v-3.4h3.8z", // plus
  "M-5.5,-5.5L0,-2.4L5.5,-5.5L2.4,0L5.5,5.5L0,2.4L-5.5,5.5L-2.4,0z", // star of four
];

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const styleOf = (curve) => (curve.control ? "pv-cc" : `pv-c${curve.style % COLOURS}`);

function mark(curve, x, y, kind, size = 1) {
  const marks = curve.control ? CONTROL_MARKS : MARKS;
  return svg("path", {
    d: marks[curve.style % marks.length], class: `pv-mark ${styleOf(curve)} ${kind || ""}`,
    transform: `translate(${x.toFixed(1)},${y.toFixed(1)}) scale(${size})`,
  });
}

// Round numbers from low to high, about `wanted` of them.
function linearTicks(low, high, wanted = 5) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
  const ticks = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) {
    ticks.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  }
  return ticks;
}

function shortNumber(value) {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(0) : String(+value.toPrecision(3));
}

function logTicks(low, high) {
  const ticks = [];
  for (let power = -2; power <= 2; power++) {
    for (const m of [1, 2, 5]) {
      const v = m * 10 ** power;
      if (v >= low * 0.999 && v <= high * 1.001) ticks.push(v);
    }
  }
  return ticks;
}

function axes(plot, area, xTicks, yTicks, names) {
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
