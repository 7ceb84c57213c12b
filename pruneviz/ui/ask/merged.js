// Where patches went that a method merged into others: groups of them, each with one that stands
// for all.
import { tokenAt } from "./readout.js";
import { DROPPED, KEPT, plural } from "../shared/base.js";
import { dot, groupColours, groupSizes } from "../shared/groups.js";
import { place, veil } from "../shared/patches.js";

export const merges = (view) => view.preview === null && view.stages.slice(0, view.stage).some((s) => s.into);
export const isGroups = (view) => view.show === "groups" && merges(view);

// For each token the one that holds it after the stages up to the one shown; -1 = lost.
function holders(view) {
  const held = Int32Array.from({ length: view.tokens }, (_, token) => token);
  for (const stage of view.stages.slice(0, view.stage)) {
    for (let token = 0; token < held.length; token++) {
      const at = held[token];
      if (at < 0) continue;
      if (stage.into) held[token] = stage.into[at];
      else if (stage.state[at] !== KEPT) held[token] = -1;
    }
  }
  return held;
}

// Merged patches stay half visible: what they showed is still in the model.
export function showMerged(view, ctx, states, scale, width, height) {
  const held = holders(view), path = new Path2D();
  for (let token = 0; token < view.tokens; token++) {
    if (states[token] === KEPT || held[token] < 0 || view.cells[token] < 0) continue;
    path.rect(...place(view, view.cells[token], scale));
  }
  ctx.save();
  ctx.clip(path);
  ctx.globalAlpha = 0.28;
  ctx.drawImage(view.picture, 0, 0, width, height);
  ctx.restore();
}

export function drawGroups(view, ctx, scale) {
  const held = holders(view), sizes = groupSizes(view, held), colours = groupColours(view, sizes);
  for (let token = 0; token < view.tokens; token++) {
    if (view.cells[token] < 0) continue;
    const box = place(view, view.cells[token], scale), holder = held[token];
    ctx.globalAlpha = holder < 0 ? 0.8 : sizes[holder] > 1 ? 0.55 : 0;
    ctx.fillStyle = holder < 0 ? veil(view, 1) : colours[holder];
    ctx.fillRect(...box);
  }
  ctx.globalAlpha = 1;
  for (let token = 0; token < view.tokens; token++) {
    if (view.cells[token] < 0 || held[token] !== token) continue;
    dot(ctx, place(view, view.cells[token], scale), "#ffffff");
  }
}

// Around the patches of the group that the cursor is in, and a dot on the one that holds them.
export function outlineGroup(view, ctx, scale) {
  const token = tokenAt(view, view.cursor);
  if (token < 0 || !merges(view)) return;
  const held = holders(view), holder = held[token];
  if (holder < 0) return;
  const own = groupColours(view, groupSizes(view, held))[holder];
  const member = (cell) => cell >= 0 && view.cellToken[cell] >= 0
    && held[view.cellToken[cell]] === holder;
  const path = new Path2D();
  for (let cell = 0; cell < view.cellToken.length; cell++) {
    if (!member(cell)) continue;
    const [x, y, w, h] = place(view, cell, scale), column = cell % view.columns;
    const sides = [[column > 0 && member(cell - 1), x, y, x, y + h],
      [column + 1 < view.columns && member(cell + 1), x + w, y, x + w, y + h],
      [member(cell - view.columns), x, y, x + w, y],
      [cell + view.columns < view.cellToken.length && member(cell + view.columns), x, y + h, x + w, y + h]];
    for (const [inner, x0, y0, x1, y1] of sides) {
      if (inner) continue;
      path.moveTo(x0, y0);
      path.lineTo(x1, y1);
    }
  }
  for (const [width, style] of [[4, "#111827"], [2, own]]) {
    ctx.lineWidth = width;
    ctx.strokeStyle = style;
    ctx.stroke(path);
  }
  if (view.cells[holder] < 0) return;
  const [x, y, w, h] = place(view, view.cells[holder], scale);
  ctx.beginPath();
  ctx.arc(x + w / 2, y + h / 2, Math.max(3, 0.22 * Math.min(w, h)), 0, 2 * Math.PI);
  ctx.fillStyle = own;
  ctx.fill();
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = "#111827";
  ctx.stroke();
}

const cellName = (view, cell) => `row ${Math.floor(cell / view.columns) + 1}, column ${cell % view.columns + 1}`;
export const placeName = (view, token) => view.cells[token] < 0 ? "a token without a place"
  : cellName(view, view.cells[token]);

// Whether the stage shown drops patches without merging them.
export function losesHere(view) {
  const into = merges(view) ? view.stages[view.stage - 1].into : null;
  return !into || view.stages[view.stage - 1].state
    .some((state, token) => state === DROPPED && into[token] < 0);
}

// What merging did to a patch, in words; empty where nothing did.
export function mergedText(view, token) {
  if (!merges(view)) return "";
  const held = holders(view), holder = held[token];
  if (holder < 0) return "";
  const others = groupSizes(view, held)[holder] - 1;
  if (holder === token) {
    return others ? `Stands for ${others === 1 ? "one other patch" : `${others} other patches`} too.` : "";
  }
  return `Its content is in the token at ${placeName(view, holder)}, with ` +
    `${plural(others, "other patch").replace("patchs", "patches")}.`;
}

// How many patches a stage merged and how many it lost, for the line above the picture.
export function mergedCount(stage) {
  let merged = 0;
  stage.into.forEach((holder, token) => {
    if (stage.state[token] === DROPPED && holder >= 0) merged += 1;
  });
  const lost = stage.state.filter((state) => state === DROPPED).length - merged;
  const counts = `${merged} patches are merged into them${lost ? `, ${lost} dropped` : ""}`;
  if (!stage.extra) return counts;
  return `${counts}. ${stage.extra === 1 ? "One kept token is" : `${stage.extra} kept tokens are`} ` +
    "no patch but the vision encoder's summary (CLS)";
}
