// Patches kept or dropped by hand: clicks, brush and keys, markers, what the server is told.
const MODES = ["Look", "Keep", "Drop", "Erase"];
const PIN_KEYS = { k: "Keep", d: "Drop", e: "Erase", Delete: "Erase" };
const pins = { keep: new Set(), drop: new Set(), extra: 0, picture: "", mode: "Look",
  brushing: false, stroke: null };

const pinned = () => pins.keep.size + pins.drop.size > 0;
const sorted = (set) => [...set].sort((a, b) => a - b);

function pinText() {
  return JSON.stringify({
    picture: pins.picture, keep: sorted(pins.keep), drop: sorted(pins.drop), extra: pins.extra,
  });
}

// Pins belong to a picture: another one brings its own, which are those it was asked with.
function adoptPins(data) {
  const ran = data.pins || { keep: [], drop: [], extra: 0 };
  if (data.picture !== pins.picture) {
    Object.assign(pins, { keep: new Set(ran.keep), drop: new Set(ran.drop), extra: ran.extra,
      picture: data.picture || "" });
  }
  view.ranPins = JSON.stringify({ picture: data.picture || "", ...ran });
  view.ranBudget = view.budget = data.budget;
  view.ranPercent = view.percent = data.percent;
}

function setPins(tokens, mode) {
  const before = pinText();
  for (const token of tokens) {
    if (token < 0) continue;
    pins.keep.delete(token);
    pins.drop.delete(token);
    if (mode === "Keep") pins.keep.add(token);
    if (mode === "Drop") pins.drop.add(token);
  }
  pins.extra = Math.min(pins.extra, pins.keep.size);
  if (pinText() !== before) settle();
}

function clearPins() {
  pins.keep.clear();
  pins.drop.clear();
  pins.extra = 0;
  settle();
}

// A preview is shown only where a new run would differ from the one on the screen.
function settle() {
  root.dataset.pins = pinText();
  if (!view.ready) return;
  lendMasks();
  const budget = view.percent === view.ranPercent || asRan(view.previews, view.budget, view.ranBudget);
  const same = pinText() === view.ranPins && budget;
  view.preview = same || view.budget === BEYOND ? null : view.budget;
  if (view.preview === null) view.stage = view.stages.length;
  const shown = view.preview !== null && pinsAsRan();
  window.dispatchEvent(new CustomEvent("pruneviz:moved", {
    detail: { count: view.budget, percent: view.percent, shown } }));
  refresh();
}

// What the slider's budget keeps: pins first, the rest by the last run's ranking.
function previewStates() {
  const states = new Uint8Array(view.tokens).fill(DROPPED), exact = pinnedMask();
  if (exact) return states.map((state, token) => (isIn(exact, token) ? KEPT : state));
  pins.keep.forEach((token) => { states[token] = KEPT; });
  const wanted = Math.max(view.preview + pins.extra, pins.keep.size);
  const left = Math.min(wanted, view.tokens - pins.drop.size) - pins.keep.size;
  return keepFirst(states, ranking(view.previews, view.order, view.preview), left, pins.drop);
}

// The dropped patches that the last run was closest to keeping, on top of its budget.
function giveBack(count) {
  const last = view.stages[view.stages.length - 1];
  const best = [...view.order].filter((token) => last.state[token] !== KEPT
    && !pins.keep.has(token) && !pins.drop.has(token)).slice(0, count);
  best.forEach((token) => pins.keep.add(token));
  pins.extra += best.length;
  settle();
  return best.length;
}

// A disc with a tick: kept; a square with a cross: dropped. Shape and colour differ.
function drawPins(ctx, scale) {
  const dark = "#0b1220", light = "#ffffff";
  for (const [set, kept] of [[pins.keep, true], [pins.drop, false]]) {
    for (const token of set) {
      if (view.cells[token] < 0) continue;
      const [x, y, w, h] = place(view.cells[token], scale);
      const r = Math.max(4, 0.36 * Math.min(w, h)), cx = x + w / 2, cy = y + h / 2;
      const mark = new Path2D(), shape = new Path2D();
      if (kept) {
        shape.arc(cx, cy, r, 0, 2 * Math.PI);
        mark.moveTo(cx - 0.5 * r, cy);
        mark.lineTo(cx - 0.1 * r, cy + 0.42 * r);
        mark.lineTo(cx + 0.52 * r, cy - 0.4 * r);
      } else {
        shape.rect(cx - 0.9 * r, cy - 0.9 * r, 1.8 * r, 1.8 * r);
        mark.moveTo(cx - 0.45 * r, cy - 0.45 * r);
        mark.lineTo(cx + 0.45 * r, cy + 0.45 * r);
        mark.moveTo(cx + 0.45 * r, cy - 0.45 * r);
        mark.lineTo(cx - 0.45 * r, cy + 0.45 * r);
      }
      ctx.fillStyle = kept ? "#15703f" : "#b4431f";
      ctx.fill(shape);
      ctx.lineWidth = 1.2;
      ctx.strokeStyle = isDark() ? light : dark;
      ctx.stroke(shape);
      ctx.lineWidth = Math.max(1.4, 0.22 * r);
      ctx.strokeStyle = light;
      ctx.stroke(mark);
    }
  }
}

const pinOf = (token) => pins.keep.has(token) ? "Kept by hand"
  : pins.drop.has(token) ? "Dropped by hand" : "";

function pinBar() {
  press($(".pv-modes"), MODES.indexOf(pins.mode));
  const beyond = pins.extra ? ` (${pins.extra} beyond the budget)` : "";
  $(".pv-pincount").textContent = pinned()
    ? `${pins.keep.size} kept${beyond}, ${pins.drop.size} dropped by hand` : "";
  for (const name of [".pv-again", ".pv-clear"]) $(name).hidden = !pinned();
  $(".pv-give").hidden = !view.stages.length;
  $(".pv-pinhint").hidden = pins.mode === "Look";
  $(".pv-canvas").classList.toggle("pv-brush", pins.mode !== "Look");
}

// From where the pointer was last: a fast stroke must not leave gaps.
function brush(event) {
  const canvas = event.currentTarget, tokens = [];
  const [x, y] = pins.stroke || [event.clientX, event.clientY];
  const across = event.clientX - x, down = event.clientY - y;
  const steps = Math.max(1, Math.ceil(Math.hypot(across, down) / 4));
  for (let step = 1; step <= steps; step++) {
    tokens.push(tokenAt(cellUnder({ currentTarget: canvas,
      clientX: x + across * step / steps, clientY: y + down * step / steps })));
  }
  pins.stroke = [event.clientX, event.clientY];
  setPins(tokens, pins.mode);
}

function wirePins() {
  const canvas = $(".pv-canvas");
  buttons($(".pv-modes"), MODES, 0, (index) => {
    pins.mode = MODES[index];
    view.pinned = false;
    pinBar();
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (!view.ready || pins.mode === "Look" || event.button) return;
    pins.brushing = true;
    pins.stroke = null;
    canvas.setPointerCapture(event.pointerId);
    brush(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (pins.brushing) brush(event); });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { pins.brushing = false; });
  }
  canvas.addEventListener("keydown", (event) => {
    if (!view.ready || event.ctrlKey || event.metaKey || event.altKey) return;
    const own = [" ", "Enter"].includes(event.key) && pins.mode !== "Look" ? pins.mode : null;
    const mode = PIN_KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key] || own;
    if (!mode) return;
    event.preventDefault();
    setPins([tokenAt(view.cursor)], mode);
  });
  $(".pv-again").addEventListener("click", () => trigger("again", {}));
  $(".pv-clear").addEventListener("click", clearPins);
  $(".pv-giveback").addEventListener("click", () => {
    const count = Math.floor(Number($(".pv-givecount").value));
    if (count >= 1 && giveBack(count)) trigger("again", {});
  });
  // The page sends this when its picture changes, by hand or by an example.
  window.addEventListener("pruneviz:changed", clearPins);
}
