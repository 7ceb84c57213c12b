// What matters: effects measured by taking patches away, beside the method's scores, both on the
// picture. Values come in the event that the carrier component sends.
let effects = null;

function adoptEffects(data) {
  if (!data || !view.ready) return;
  if (data.restore) {
    pinRestoring(data.restore);
    return;
  }
  effects = { ...data, values: unpack.f4(data.effects), judged: data.scores ? unpack.f4(data.scores) : null };
  drawEffects();
}

// Another result has no map yet.
function forgetEffects() {
  effects = null;
  $(".pv-matter").dataset.state = "empty";
}

// Kept on top of the method's own number, as giving back does.
function pinRestoring(tokens) {
  const fresh = tokens.filter((token) => !pins.keep.has(token));
  fresh.forEach((token) => { pins.drop.delete(token); pins.keep.add(token); });
  pins.extra += fresh.length;
  $(".pv-hand").open = true;
  settle();
}

// By the root: a few blocks move the answer by far more than all others.
const effectUnit = (value) => Number.isFinite(value)
  ? Math.sqrt(Math.max(0, value <= effects.noise ? 0 : value) / Math.max(effects.most, 1e-9)) : NaN;

function overlayMap(canvas, unit) {
  const [x0, y0, x1, y1] = view.window, room = canvas.parentElement.clientWidth;
  if (!room) return null;
  const scale = Math.min(room / (x1 - x0), BIG / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale, ctx = context(canvas, width, height);
  ctx.drawImage(view.picture, 0, 0, width, height);
  fade(ctx, width, height);
  for (let token = 0; token < view.tokens; token++) {
    if (view.cells[token] < 0 || !Number.isFinite(unit[token])) continue;
    ctx.globalAlpha = 0.7;
    ctx.fillStyle = colour(unit[token]);
    ctx.fillRect(...place(view.cells[token], scale));
  }
  ctx.globalAlpha = 1;
  return { ctx, scale };
}

// The blocks that matter most, those that the method dropped with a dash and a cross.
function outlineTop({ ctx, scale }) {
  const lost = new Set(effects.dropped.map((tokens) => tokens[0]));
  effects.top.forEach((tokens) => {
    const boxes = tokens.filter((t) => view.cells[t] >= 0).map((t) => place(view.cells[t], scale));
    if (!boxes.length) return;
    const x = Math.min(...boxes.map((b) => b[0])), y = Math.min(...boxes.map((b) => b[1]));
    const right = Math.max(...boxes.map((b) => b[0] + b[2])), low = Math.max(...boxes.map((b) => b[1] + b[3]));
    const gone = lost.has(tokens[0]);
    for (const [style, width] of [["#0b1220", 4], [gone ? "#ff8a5c" : "#7ee2a8", 2]]) {
      ctx.setLineDash(gone && width === 2 ? [5, 3] : []);
      ctx.strokeStyle = style;
      ctx.lineWidth = width;
      ctx.strokeRect(x + 1, y + 1, right - x - 2, low - y - 2);
    }
    ctx.setLineDash([]);
  });
}

function drawEffects() {
  const part = $(".pv-matter");
  part.dataset.state = effects ? "ready" : "empty";
  if (!effects || !view.ready) return;
  const measured = overlayMap($(".pv-effects"), Float64Array.from(effects.values, effectUnit));
  if (!measured) return;
  outlineTop(measured);
  view.effectScale = measured.scale;
  $(".pv-judge").hidden = !effects.judged;
  if (effects.judged) {
    const judged = overlayMap($(".pv-judged"), percentiles(effects.judged));
    if (judged) outlineTop(judged);
  }
  $(".pv-effectstitle").textContent = "What matters: fall of the answer's log-probability when taken away";
  $(".pv-judgedtitle").textContent = `What ${effects.title} thinks: its scores, by rank`;
  fill($(".pv-effectsbar"), colourBar("0", `${number(effects.most)} nats`, "by the root"),
    swatch("topkept", "matters most, kept"), swatch("toplost", "matters most, dropped"));
  fill($(".pv-effectsaid"), ...effects.said.map((line) => node("li", "", line)));
  $(".pv-effects").setAttribute("aria-label",
    `Effect of taking away each block of ${effects.block} by ${effects.block} patches. ${effects.said.join(" ")}`);
  root.dataset.effects = `${effects.block}:${effects.finished}`;
}

function readEffect(event) {
  if (!effects) return;
  const cell = cellUnder(event, view.effectScale), token = tokenAt(cell);
  const value = token < 0 ? NaN : effects.values[token];
  const score = token < 0 || !effects.judged ? NaN : effects.judged[token];
  $(".pv-effectread").textContent = Number.isFinite(value)
    ? `Row ${Math.floor(cell / view.columns) + 1}, column ${cell % view.columns + 1}: without ` +
      `${effects.block === 1 ? "it" : "its block"} ${number(Math.abs(value))} nats ` +
      `${value < 0 ? "more" : "less"} likely${Number.isFinite(score) ? `; score ${number(score)}` : ""}.`
    : "Point at a patch to read what it does.";
}

function wireEffects() {
  for (const name of [".pv-effects", ".pv-judged"]) {
    $(name).addEventListener("pointermove", readEffect);
    $(name).addEventListener("click", readEffect);
  }
  window.addEventListener("pruneviz:effects", (event) => adoptEffects(event.detail));
}
