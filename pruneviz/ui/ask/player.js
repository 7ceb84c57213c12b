// Walking through the decoder: a slider, a play button, and which patches enter each layer.
const STEP = 500; // milliseconds a layer; each step is a cut, nothing moves in between
let playing = 0;

// The last stage before a layer (counted from 0): it decides what the layer sees.
function stageBefore(layer) {
  if (view.run === 0) return null;
  return view.stages.filter((stage) => stage.layer <= layer).pop() || null;
}

function goTo(layer) {
  view.layer = Math.min(view.perLayer[shownRun()].length - 1, Math.max(0, layer));
  press($(".pv-sheet"), view.layer);
  const slider = $(".pv-layer"), last = view.perLayer[shownRun()].length;
  slider.max = last;
  slider.value = view.layer + 1;
  $(".pv-layerread").textContent = `${view.layer + 1} / ${last}`;
  slider.setAttribute("aria-valuetext", `Layer ${view.layer + 1} of ${last}, ${entering()}`);
  root.dataset.layer = `${view.layer + 1}:${view.perLayer[shownRun()][view.layer]}`;
  enlarge();
  drawEntering();
}

const entering = () => `${view.perLayer[shownRun()][view.layer]} of ${view.tokens} patches enter it`;

// The picture with the patches that the layer sees; those dropped just before it stand out.
function drawEntering() {
  const canvas = $(".pv-enterpic");
  if (!view.ready || !view.signals.length || !canvas.parentElement.clientWidth) return;
  const [x0, y0, x1, y1] = view.window, stage = stageBefore(view.layer);
  const scale = Math.min(Math.min(canvas.parentElement.clientWidth, 1.4 * BIG) / (x1 - x0),
    BIG / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  const states = stage ? stage.state : new Uint8Array(view.tokens).fill(KEPT);
  const ctx = context(canvas, width, height);
  drawPatches(ctx, states, width, height, scale, false);
  const fell = stage !== null && stage.layer === view.layer;
  if (!drawMarked(ctx, scale) && fell) fillCells(ctx, states, DROPPED, scale, stripes(ctx, isDark() ? "#f0926b" : "#b4431f"));
  view.enterScale = scale;
  drawCursor(ctx, scale);
  const title = `Layer ${view.layer + 1}: ${entering()}`, line = $(".pv-enterread");
  $(".pv-entertitle").textContent = title;
  canvas.setAttribute("aria-label", `${title}.`);
  if (fell) fill(line, swatch("justfell", `${stage.alive - stage.kept} dropped just before it`));
  else line.textContent = stage ? `${stage.title}: ${stage.kept} kept.` : "Nothing was dropped yet.";
}

// Lines and not a tint: any colour may be the picture's own. The other way than what was never seen.
function stripes(ctx, colour) {
  const tile = new OffscreenCanvas(10, 10), pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.4;
  for (const shift of [-10, 0, 10]) {
    pen.moveTo(shift - 1, -1);
    pen.lineTo(shift + 11, 11);
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat");
}

function playButton() {
  const button = $(".pv-play");
  button.textContent = playing ? "❚❚ Pause" : "▶ Play";
  button.setAttribute("aria-label", playing ? "Pause" : "Play: one layer after another");
}

function pause() {
  clearInterval(playing);
  playing = 0;
  playButton();
}

function step() {
  goTo(view.layer + 1);
  if (view.layer === view.perLayer[shownRun()].length - 1) pause();
}

// Played again from the end, it starts over.
function play() {
  if (!view.ready) return;
  if (view.layer === view.perLayer[shownRun()].length - 1) goTo(0);
  playing = setInterval(step, STEP);
  playButton();
}

function wirePlayer() {
  playButton();
  $(".pv-play").addEventListener("click", () => (playing ? pause() : play()));
  $(".pv-layer").addEventListener("input", (event) => {
    pause();
    if (view.ready) goTo(Number(event.target.value) - 1);
  });
  $(".pv-sheet").addEventListener("click", pause);
}
