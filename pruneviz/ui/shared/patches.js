// The picture: kept patches in full colour, dropped ones faded, unseen parts hatched.
import { colour, FELL, isDark, KEPT, percentiles } from "./base.js";

export const cellBox = (view, cell) => view.boxes.subarray(4 * cell, 4 * cell + 4);

// Cell under the pointer of a canvas with the picture at some scale; null beside the grid.
export function cellUnder(view, event, scale = view.scale) {
  const box = event.currentTarget.getBoundingClientRect();
  const x = (event.clientX - box.left) / scale + view.window[0];
  const y = (event.clientY - box.top) / scale + view.window[1];
  for (let cell = 0; cell < view.cellToken.length; cell++) {
    const [left, top, right, bottom] = cellBox(view, cell);
    if (x >= left && x < right && y >= top && y < bottom) return cell;
  }
  return null;
}

export function place(view, cell, scale) {
  const [left, top, right, bottom] = cellBox(view, cell);
  const [x, y] = view.window;
  return [(left - x) * scale, (top - y) * scale, (right - left) * scale, (bottom - top) * scale];
}

export function fade(ctx, width, height) {
  ctx.globalCompositeOperation = "saturation";
  ctx.fillStyle = "#808080";
  ctx.fillRect(0, 0, width, height);
  ctx.globalCompositeOperation = "source-over";
}

export function veil(view, strength) {
  return isDark(view) ? `rgba(52,58,72,${strength})` : `rgba(245,246,248,${strength})`;
}

export function hatch(view, ctx, width, height, scale) {
  const [x, y] = view.window;
  const [left, top, right, bottom] = view.seen;
  const area = new Path2D();
  area.rect(0, 0, width, height);
  area.rect((left - x) * scale, (top - y) * scale, (right - left) * scale, (bottom - top) * scale);
  ctx.save();
  ctx.clip(area, "evenodd");
  ctx.fillStyle = veil(view, 0.5);
  ctx.fillRect(0, 0, width, height);
  ctx.strokeStyle = isDark(view) ? "rgba(170,178,192,.75)" : "rgba(92,100,114,.75)";
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  for (let at = -height; at < width; at += 9) {
    ctx.moveTo(at, height);
    ctx.lineTo(at + height, 0);
  }
  ctx.stroke();
  ctx.restore();
}

// Dots over what is not kept: a white page or a dark picture fades into itself, a pattern shows.
const DOTS = 6; // CSS pixels from one to the next
const DOTTED = dotTile(); // the same for all that is ever drawn
function dotTile() {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 2 * DOTS;
  const pen = tile.getContext("2d");
  pen.scale(2, 2);
  for (const [at, style] of [[DOTS / 2 + 0.5, "rgba(255,255,255,.5)"], [DOTS / 2, "rgba(74,82,98,.8)"]]) {
    pen.fillStyle = style;
    pen.beginPath();
    pen.arc(at, at, 0.9, 0, 2 * Math.PI);
    pen.fill();
  }
  return tile;
}

export function dots(ctx) {
  const pattern = ctx.createPattern(DOTTED, "repeat");
  pattern.setTransform(new DOMMatrix().scale(0.5));
  return pattern;
}

// Lines where cells differ from those beside them, or from nothing (0) at the grid's own edge.
export function contour(view, ctx, scale, cellKept) {
  const path = new Path2D(), [x, y] = view.window, inset = 1;
  for (let cell = 0; cell < cellKept.length; cell++) {
    const [left, top, right, bottom] = cellBox(view, cell), own = cellKept[cell];
    const column = cell % view.columns, below = cell + view.columns;
    const [x0, y0, x1, y1] = [(left - x) * scale, (top - y) * scale, (right - x) * scale, (bottom - y) * scale];
    const last = column + 1 === view.columns, lowest = below >= cellKept.length;
    const sides = [
      [own !== (last ? 0 : cellKept[cell + 1]), x1 - last * inset, y0, x1 - last * inset, y1],
      [own !== (lowest ? 0 : cellKept[below]), x0, y1 - lowest * inset, x1, y1 - lowest * inset],
      [column === 0 && own !== 0, x0 + inset, y0, x0 + inset, y1],
      [cell < view.columns && own !== 0, x0, y0 + inset, x1, y0 + inset],
    ];
    for (const [drawn, fromX, fromY, toX, toY] of sides) {
      if (!drawn) continue;
      path.moveTo(fromX, fromY);
      path.lineTo(toX, toY);
    }
  }
  ctx.lineCap = "square";
  // A dark line in a light one: one of the two is seen on any picture.
  ctx.lineWidth = 3.4;
  ctx.strokeStyle = isDark(view) ? "rgba(0,0,0,.8)" : "rgba(255,255,255,.92)";
  ctx.stroke(path);
  ctx.lineWidth = 1.4;
  ctx.strokeStyle = isDark(view) ? "#f1f4f9" : "#1b202a";
  ctx.stroke(path);
}

export function fillCells(view, ctx, states, wanted, scale, style) {
  // One path for all: single rectangles would leave seams where they meet.
  const path = new Path2D();
  for (let token = 0; token < view.tokens; token++) {
    if (states[token] === wanted && view.cells[token] >= 0) {
      path.rect(...place(view, view.cells[token], scale));
    }
  }
  ctx.fillStyle = style;
  ctx.fill(path);
}

function heat(view, ctx, values, scale) {
  // By rank: one outlier would leave every other patch in the same dark blue.
  const unit = percentiles(values);
  for (let token = 0; token < view.tokens; token++) {
    if (view.cells[token] < 0) continue;
    const known = Number.isFinite(unit[token]);
    ctx.globalAlpha = known ? 0.68 : 1;
    ctx.fillStyle = known ? colour(view, unit[token]) : veil(view, 0.8);
    ctx.fillRect(...place(view, view.cells[token], scale));
  }
  ctx.globalAlpha = 1;
}

// Which cells are kept, their outline, and the number of tokens, those without a place included.
function keptCells(view, states, scale) {
  const cells = new Uint8Array(view.rows * view.columns), path = new Path2D();
  let count = 0;
  for (let token = 0; token < view.tokens; token++) {
    if (states[token] !== KEPT) continue;
    count += 1;
    const cell = view.cells[token];
    if (cell < 0) continue;
    cells[cell] = 1;
    path.rect(...place(view, cell, scale));
  }
  return { cells, path, count };
}

// On a picture without colour: a veil and dots over all of it, and the kept patches as they are.
function showKept(view, ctx, states, path, width, height, scale) {
  ctx.fillStyle = veil(view, 0.55);
  ctx.fillRect(0, 0, width, height);
  fillCells(view, ctx, states, FELL, scale, veil(view, 0.5));
  ctx.fillStyle = dots(ctx);
  ctx.fillRect(0, 0, width, height);
  ctx.save();
  ctx.clip(path);
  ctx.drawImage(view.picture, 0, 0, width, height);
  ctx.restore();
}

// The whole picture with its patches, coloured by `heated` (a value a token) where that is given,
// and what `more` draws over them; returns how many tokens are kept.
export function drawPatches(view, ctx, states, width, height, scale, heated, more) {
  const kept = keptCells(view, states, scale);
  ctx.drawImage(view.picture, 0, 0, width, height);
  fade(ctx, width, height);
  if (heated) heat(view, ctx, heated, scale);
  else showKept(view, ctx, states, kept.path, width, height, scale);
  if (more) more();
  hatch(view, ctx, width, height, scale);
  contour(view, ctx, scale, kept.cells);
  return kept.count;
}
