// Where the answers' tokens look: the attention of one chosen token to every patch, on the picture,
// for both runs. Asked for when the part is first seen after a result.
const looks = { turn: 0, asked: false, runs: [], chosen: [0, 0], layer: 0, scales: [0, 0] };
const LOOK_BOXES = ["baseline", "pruned"].map((name) => `.pv-look-${name}`);

function forgetLooks() {
  Object.assign(looks, { turn: looks.turn + 1, asked: false, runs: [], chosen: [0, 0], layer: 0 });
  $(".pv-looks").dataset.state = "empty";
  askLooks();
}

// On demand: nothing is computed for who never opens the part.
function askLooks() {
  if (looks.asked || !view.ready || !$(".pv-looks").clientWidth) return;
  looks.asked = true;
  trigger("look", { turn: looks.turn });
}

function adoptLooks(data) {
  if (!data || data.turn !== looks.turn || !view.ready) return;
  looks.runs = data.runs.map((run) => ({ ...run, mean: decodeSignal(run.mean), layers: decodeSignal(run.layers) }));
  lookControls();
  drawLooks();
}

// Mean over layers, or one of them where they were sent.
function lookControls() {
  const whole = looks.runs.every((run) => run.layers), count = looks.runs[0].layerShares.length;
  const names = ["mean over layers", ...Array.from({ length: whole ? count : 0 }, (_, n) => `layer ${n + 1}`)];
  fill($(".pv-looklayer"), ...names.map((name, value) => {
    const option = node("option", "", name);
    option.value = value;
    option.selected = value === looks.layer;
    return option;
  }));
  looks.runs.forEach((run, at) => buttonsOfTokens($(`${LOOK_BOXES[at]} .pv-looktokens`), run, looks.chosen[at], (token) => {
    looks.chosen[at] = token;
    // The same word in the other answer, where it stands in the same place.
    looks.runs.forEach((other, place) => { if (other.tokens[token] === run.tokens[token]) looks.chosen[place] = token; });
    drawLooks();
  }));
}

function buttonsOfTokens(parent, run, chosen, onPick) {
  buttons(parent, run.tokens, chosen, onPick);
  parent.hidden = !run.tokens.length;
}

// Attention of a token to every visual token; NaN where the layer, or one of them, has it no more.
function lookValues(run, token, layer, count) {
  const row = layer ? (layer - 1) * run.tokens.length + token : token;
  return (layer ? run.layers : run.mean).subarray(row * count, (row + 1) * count);
}

const inShare = (value) => `${+(100 * value).toPrecision(3)} %`;

// The patches that it looks at most, and what goes to all of them, in words.
function lookText(run, token, layer, values, cellWords) {
  const share = layer ? run.layerShares[layer - 1][token] : run.shares[token];
  const best = [...values.keys()].filter((one) => Number.isFinite(values[one]))
    .sort((a, b) => values[b] - values[a]).slice(0, 3);
  const most = best.map((one) => `${cellWords(one)} (${inShare(values[one])})`).join("; ");
  return `“${run.tokens[token]}” gives ${inShare(share)} of its attention to visual tokens, most to ${most || "none"}.`;
}

// What is not there is dotted as on the mask, and never drawn as a low value.
function drawLook(canvas, values) {
  const top = range(values)[1], absent = Uint8Array.from(values, (value) => Number(!Number.isFinite(value)));
  const map = overlayMap(canvas, Float64Array.from(values, (value) => Math.sqrt(value / Math.max(top, 1e-12))));
  if (!map) return null;
  fillCells(map.ctx, absent, 1, map.scale, veil(0.55));
  fillCells(map.ctx, absent, 1, map.scale, dots(map.ctx));
  drawCursor(map.ctx, map.scale);
  return { scale: map.scale, top, absent: absent.includes(1) };
}

function drawLooks() {
  const part = $(".pv-looks");
  part.dataset.state = looks.runs.length ? "ready" : "empty";
  if (!looks.runs.length || !view.ready) return;
  LOOK_BOXES.forEach((name, at) => {
    const box = $(name), run = looks.runs[at];
    box.hidden = !run;
    if (!run || !run.tokens.length) return;
    const token = looks.chosen[at], values = lookValues(run, token, looks.layer, view.tokens);
    const canvas = box.querySelector("canvas"), drawn = drawLook(canvas, values);
    if (!drawn) return;
    looks.scales[at] = drawn.scale;
    const text = lookText(run, token, looks.layer, values, placeName);
    press(box.querySelector(".pv-looktokens"), token);
    box.querySelector(".pv-bigtitle").textContent = run.title;
    box.querySelector(".pv-looksaid").textContent = text;
    canvas.setAttribute("aria-label", `${run.title}: ${text} Arrow keys move from patch to patch.`);
    fill(box.querySelector(".pv-lookbar"), colourBar("0", inShare(drawn.top), "share of its attention, by the root"),
      ...(drawn.absent ? [swatch("off", "not there: dropped or merged")] : []));
    const under = tokenAt(view.cursor);
    box.querySelector(".pv-lookread").textContent = under < 0 ? "Point at a patch to read its share."
      : `${placeName(under)}: ${Number.isFinite(values[under]) ? inShare(values[under]) : "not there any more"}.`;
  });
  root.dataset.looks = `${looks.runs.length}:${looks.layer}:${looks.chosen.join(",")}`;
}

function wireLooks() {
  LOOK_BOXES.forEach((name, at) =>
    wire($(`${name} canvas`), (event) => cellUnder(event, looks.scales[at])));
  $(".pv-looklayer").addEventListener("change", (event) => {
    looks.layer = Number(event.target.value);
    drawLooks();
  });
  window.addEventListener("pruneviz:looks", (event) => adoptLooks(event.detail));
}
