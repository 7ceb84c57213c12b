// Two methods on one picture: what only one of them keeps, what both, what neither.
const pair = { a: 0, b: 1, cursor: null };
const ONLY_A = 1, ONLY_B = 2, BOTH = 3;
const STRIPES = { [ONLY_A]: [1, "#1d4ed8", "#7ea6ff"], [ONLY_B]: [-1, "#b4431f", "#ff9a6b"] };
// Merged tokens stand for many patches: there is no choice to compare.
const chosen = () => view.panels.filter((panel) => panel.ready && !panel.holders);

function pairStates() {
  const both = chosen(), a = both[pair.a].state, b = both[pair.b].state;
  return Uint8Array.from(a, (state, token) =>
    (state === KEPT ? ONLY_A : 0) + (b[token] === KEPT ? ONLY_B : 0));
}

function pairCounts(states) {
  const counts = [0, 0, 0, 0];
  for (const state of states) counts[state] += 1;
  return counts;
}

function pickers() {
  const all = chosen();
  for (const [key, other] of [["a", "b"], ["b", "a"]]) {
    const box = $(`.pv-pair${key}`);
    fill(box, ...all.map((panel, index) => {
      const option = node("option", "", panel.title);
      option.value = index;
      option.selected = index === pair[key];
      option.disabled = index === pair[other];
      return option;
    }));
  }
}

// Stripes that lean to the left or to the right: the two are told apart without colour, too.
function stripes(ctx, states, kind, scale) {
  const [lean, dark, light] = STRIPES[kind], path = new Path2D();
  let any = false;
  for (let token = 0; token < view.tokens; token++) {
    if (states[token] !== kind || view.cells[token] < 0) continue;
    path.rect(...place(view.cells[token], scale));
    any = true;
  }
  if (!any) return;
  const { width, height } = ctx.canvas;
  ctx.save();
  ctx.clip(path);
  for (const [wide, style] of [[5, "rgba(255,255,255,.9)"], [3, isDark() ? light : dark]]) {
    ctx.strokeStyle = style;
    ctx.lineWidth = wide;
    ctx.beginPath();
    for (let at = -height; at < width + height; at += 10) {
      ctx.moveTo(at, lean > 0 ? height : 0);
      ctx.lineTo(at + height, lean > 0 ? 0 : height);
    }
    ctx.stroke();
  }
  ctx.restore();
}

function paintPair() {
  const box = $(".pv-pair");
  box.hidden = chosen().length < 2;
  if (box.hidden) return;
  const canvas = $(".pv-pairmap"), [x0, y0, x1, y1] = view.window;
  const room = canvas.parentElement.clientWidth;
  if (!room) return;
  const scale = Math.min(room / (x1 - x0), 460 / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  view.pairScale = scale;
  const ctx = context(canvas, width, height), states = pairStates();
  drawPatches(ctx, states.map((state) => (state ? KEPT : DROPPED)), width, height, scale, false, () => {
    stripes(ctx, states, ONLY_A, scale);
    stripes(ctx, states, ONLY_B, scale);
  });
  contour(ctx, scale, Int32Array.from(view.cellToken, (token) => (token < 0 ? 0 : states[token])));
  paintSides(width, height, scale);
  pairLegend(states);
}

function pairLegend(states) {
  const all = chosen(), a = all[pair.a].title, b = all[pair.b].title;
  const [neither, onlyA, onlyB, both] = pairCounts(states);
  const key = (kind, text, count) => {
    const item = swatch(kind, text);
    item.append(node("span", "pv-muted", `× ${count}`));
    return item;
  };
  fill($(".pv-pairlegend"), key("onlya", `only ${a}`, onlyA), key("onlyb", `only ${b}`, onlyB),
    key("on", "both", both), key("off", "neither", neither));
  $(".pv-pairmap").setAttribute("aria-label",
    `Map: ${onlyA} patches kept by ${a} only, ${onlyB} by ${b} only, ${both} by both, ${neither} by neither.`);
  for (const [way, own, others] of [["ab", a, b], ["ba", b, a]]) {
    const button = $(`.pv-swap${way}`);
    button.textContent = `Ask ${own} with ${others}'s patches`;
    button.disabled = onlyA + onlyB === 0;
  }
}

function pairRead(event) {
  const token = tokenUnder(event), line = $(".pv-pairread");
  if (token < 0) {
    line.textContent = "Point at a patch to read who keeps it.";
    return;
  }
  const all = chosen(), cell = view.cells[token];
  const words = ["neither", `only ${all[pair.a].title}`, `only ${all[pair.b].title}`, "both"];
  line.textContent = `Row ${Math.floor(cell / view.columns) + 1}, column ${cell % view.columns + 1}: ` +
    `kept by ${words[pairStates()[token]]}.`;
}

function tokenUnder(event) {
  if (!view.ready || event.type === "pointerleave" || chosen().length < 2) return -1;
  const before = view.scale;
  view.scale = view.pairScale;
  const cell = cellUnder(event);
  view.scale = before;
  return cell === null ? -1 : view.cellToken[cell];
}

// After a run: the two that were chosen before, by name, or the first two.
function adoptPair(titles) {
  const all = chosen(), find = (title) => all.findIndex((panel) => panel.title === title);
  const [a, b] = titles.map(find);
  pair.a = a >= 0 ? a : b === 0 ? 1 : 0;
  pair.b = b >= 0 && b !== pair.a ? b : pair.a === 0 ? 1 : 0;
  pickers();
}

for (const key of ["a", "b"]) {
  $(`.pv-pair${key}`).addEventListener("change", (event) => {
    pair[key] = Number(event.target.value);
    pair.titles = [chosen()[pair.a].title, chosen()[pair.b].title];
    pickers();
    paintPair();
  });
}
for (const [way, own, other] of [["ab", "a", "b"], ["ba", "b", "a"]]) {
  $(`.pv-swap${way}`).addEventListener("click", () => {
    const all = chosen();
    trigger("swap", { own: all[pair[own]].method, other: all[pair[other]].method });
  });
}
for (const type of ["pointermove", "pointerleave"]) $(".pv-pairmap").addEventListener(type, pairRead);
