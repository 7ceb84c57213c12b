// The visual tokens over the decoder layers: a stream as high as what each layer computes, out of
// which those that fall pour down at their layer, and into which those that merge run.
const FLOW_MARKS = { kept: "✓", pinned: "✓", merged: "→", dropped: "✕", banned: "✕" };
const FLOW_HIGH = 132, FLOW_ROW = 19, FLOW_AXIS = 38, FLOW_TOP = 24; // CSS pixels
const FLOW_LEAST = 3; // so much of the fewest is seen
const FLOW_LETTER = 7; // pixels of a letter, about

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
}

const staysIn = (kind) => kind.layer === null;
const pours = (kind) => kind.end === "dropped" || kind.end === "banned";

// Where everything lies in a picture so many CSS pixels wide.
function flowLayout(flow, width) {
  const total = flow.kinds.reduce((sum, kind) => sum + kind.count, 0);
  const most = Math.max(1, total + Math.max(0, ...flow.extra));
  const unit = FLOW_HIGH / most, lead = Math.min(64, width / 8), each = (width - lead - 2) / flow.layers;
  const x = (layer) => lead + layer * each, rows = flow.kinds.filter(pours).length;
  const top = FLOW_TOP + Math.max(0, ...flow.extra) * unit;
  let at = top, row = 0;
  const columns = {}; // how far the room right of each fall is taken
  const low = flow.kinds.map((kind) => { const from = at; at += Math.max(FLOW_LEAST, kind.count * unit); return [from, at]; });
  const ground = at + 12;
  const bands = [...flow.kinds.keys()].reverse().map((number) => {
    const kind = flow.kinds[number], [y0, y1] = low[number], high = y1 - y0;
    if (staysIn(kind)) return { number, kind, y0, y1, end: width - 2 };
    const wide = Math.max(2.5, Math.min(high, 0.42 * each, 22));
    const begin = x(kind.layer) + (pours(kind) ? columns[kind.layer] || 0 : 0);
    if (!pours(kind)) return { number, kind, y0, y1, end: x(kind.layer), wide: Math.min(1.4 * each, 46) };
    columns[kind.layer] = (columns[kind.layer] || 0) + wide + 1;
    row += 1;
    return { number, kind, y0, y1, end: begin, wide, foot: ground + (rows - row) * FLOW_ROW };
  });
  return { bands, x, each, top, unit, lead, width, height: ground + rows * FLOW_ROW + FLOW_AXIS };
}

// A band's outline: to the end, over the edge and down, or up into what stays.
function bandPath({ kind, y0, y1, end, wide, foot }) {
  if (staysIn(kind)) return `M0,${y0}H${end}V${y1}H0Z`;
  if (!pours(kind)) {
    return `M0,${y0}H${end + wide}C${end + wide / 2},${y0} ${end + wide / 2},${y1} ${end},${y1}H0Z`;
  }
  const far = end + wide, bend = Math.min(2 * wide, y1 - y0 + wide);
  return `M0,${y0}H${end}C${far},${y0} ${far},${y0} ${far},${y0 + bend}V${foot - 5}`
    + `L${(end + far) / 2},${foot}L${end},${foot - 5}V${y1}H0Z`;
}

function flowPaints() {
  const ramp = (id, colours) => drawn("linearGradient", { id, x1: 0, x2: 1, y1: 0, y2: 0 },
    ...colours.map((colour, at) => drawn("stop", { offset: at / (colours.length - 1), "stop-color": colour })));
  const lines = drawn("pattern", { id: "pv-flow-lines", width: 7, height: 7,
    patternUnits: "userSpaceOnUse", patternTransform: "rotate(-45)" },
  drawn("rect", { class: "pv-flowline", width: 2, height: 7 }));
  return drawn("defs", {}, ramp("pv-flow-kept", ["#e4572e", "#f3b61f", "#2e86ab", "#4c956c"]),
    ramp("pv-flow-merged", ["#e9b9ab", "#ecd9a8", "#a9c3d0", "#b4cdb8"]), lines);
}

function flowText(x, y, text, anchor = "start") {
  const made = drawn("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

const flowLabel = (kind) => `${FLOW_MARKS[kind.end]} ${kind.text}`;

// The number of tokens and the layer at every place where some of them leave the stream.
function flowLabels({ bands, width }) {
  return bands.filter(({ kind }) => !staysIn(kind)).map(({ kind, y0, y1, end, wide, foot }) => {
    const text = flowLabel(kind), long = FLOW_LETTER * text.length;
    const from = pours(kind) ? end + wide + 5 : end + wide * 0.6 + 5;
    return flowText(Math.max(0, Math.min(from, width - long)), pours(kind) ? foot - 1 : (y0 + y1) / 2 + 5, text);
  });
}

function flowAxis(flow, { x, each, lead, width, height }) {
  const every = Math.max(1, Math.ceil(flow.layers / Math.min(16, (width - lead) / 26)));
  const base = height - FLOW_AXIS + 16, made = [];
  for (let layer = 1; layer <= flow.layers; layer++) {
    made.push(drawn("line", { class: "pv-flowtick", x1: x(layer - 1), x2: x(layer - 1), y1: FLOW_TOP, y2: base - 12 }));
    if (layer > 1 && layer % every) continue;
    made.push(flowText(x(layer - 0.5), base, layer, "middle"));
  }
  return [...made, flowText(lead + flow.layers * each / 2, base + 17, "Decoder layer", "middle")];
}

// Tokens that are no patch of the picture: above the stream from the stage on that brings them.
function flowExtra(flow, { x, top, unit }) {
  return flow.extra.map((count, layer) => count && drawn("rect", { class: "pv-flowextra", x: x(layer),
    width: x(1) - x(0), y: top - count * unit, height: Math.max(2, count * unit) })).filter(Boolean);
}

// The whole picture; `on` hears which kind the pointer is over (null for none) and which is pressed.
export function flowPicture(flow, width, on) {
  const layout = flowLayout(flow, width), { height, bands } = layout;
  const svg = drawn("svg", { class: "pv-flowsvg", viewBox: `0 0 ${width} ${height}`, width, height,
    role: "img", "aria-label": flow.text }, flowPaints(), ...flowAxis(flow, layout));
  for (const band of [...bands].reverse()) {
    const path = drawn("path", { class: `pv-flowband pv-flow-${band.kind.end}`, d: bandPath(band), "data-kind": band.number });
    path.addEventListener("pointerenter", () => on.over(band.number));
    path.addEventListener("pointerleave", () => on.over(null));
    path.addEventListener("click", () => on.press(band.number));
    svg.append(path, drawn("path", { class: "pv-flowover", d: bandPath(band), "data-over": band.number }));
  }
  const sum = (kinds) => kinds.reduce((all, kind) => all + kind.count, 0);
  const total = sum(flow.kinds), staying = flow.kinds.filter(staysIn);
  const whole = [...staying.map(flowLabel), flow.extraText].filter(Boolean).join(", ");
  const stay = FLOW_LETTER * whole.length < width - 140 ? whole : `${FLOW_MARKS.kept} ${sum(staying)} kept`;
  svg.append(...flowExtra(flow, layout), ...flowLabels(layout),
    flowText(0, FLOW_TOP - 9, `${total} visual tokens`), flowText(width - 2, FLOW_TOP - 9, stay, "end"));
  return svg;
}

// A button for each kind, in the order in which tokens leave: keyboard, legend and text at once.
export function flowButtons(flow, on) {
  const order = [...flow.kinds.keys()].reverse();
  return order.map((number) => {
    const kind = flow.kinds[number], button = document.createElement("button");
    button.type = "button";
    button.className = "pv-btn pv-flowkind";
    button.dataset.kind = number;
    const sample = document.createElement("span"), text = document.createElement("span");
    sample.className = `pv-swatch pv-flow-${kind.end}`;
    text.textContent = flowLabel(kind);
    button.append(sample, text);
    button.addEventListener("focus", () => on.over(number));
    button.addEventListener("blur", () => on.over(null));
    button.addEventListener("pointerenter", () => on.over(number));
    button.addEventListener("pointerleave", () => on.over(null));
    button.addEventListener("click", () => on.press(number));
    return button;
  });
}

// Which kind is marked, which one is pressed, and which one the patch under the cursor is of.
export function markFlow(part, { marked, pressed, pointed }) {
  part.querySelectorAll("[data-over]").forEach((path) =>
    path.classList.toggle("pv-on", Number(path.dataset.over) === marked));
  part.querySelectorAll("[data-kind]").forEach((one) => {
    const kind = Number(one.dataset.kind);
    one.classList.toggle("pv-pointed", kind === pointed);
    if (one.tagName === "BUTTON") one.setAttribute("aria-pressed", String(kind === pressed));
  });
}
