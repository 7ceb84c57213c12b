// How many methods keep each patch, and how far every two of them overlap.
import { colour, context, fill, KEPT, node, plural } from "../shared/base.js";
import { fade, fillCells, hatch, place } from "../shared/patches.js";

function agreementCounts(view) {
  return { counts: view.agreement, of: view.overlapTitles.length };
}

export function paintAgreement(view) {
  const canvas = view.$(".pv-agreemap"), { counts, of } = agreementCounts(view);
  const [x0, y0, x1, y1] = view.window;
  const room = canvas.parentElement.clientWidth;
  if (!room || !of) return;
  const scale = Math.min(room / (x1 - x0), 420 / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  view.scale = scale; // read when a pointer comes
  const ctx = context(canvas, width, height);
  ctx.drawImage(view.picture, 0, 0, width, height);
  fade(ctx, width, height);
  for (let step = 0; step <= of; step++) {
    ctx.globalAlpha = 0.8;
    fillCells(view, ctx, counts, step, scale, colour(view, step / of));
  }
  ctx.globalAlpha = 1;
  hatch(view, ctx, width, height, scale);
  if (view.cursor !== null) {
    ctx.lineWidth = 3;
    ctx.strokeStyle = "#ffffff";
    ctx.strokeRect(...place(view, view.cursor, scale));
  }
  canvas.setAttribute("aria-label",
    `Map: how many of ${plural(of, "method")} keep each patch. ` +
    Array.from({ length: of + 1 }, (_, n) =>
      `${n}: ${plural(counts.filter((c) => c === n).length, "patch").replace("patchs", "patches")}`)
      .join("; ") + ".");
}

export function agreementLegend(view) {
  const { counts, of } = agreementCounts(view);
  const items = Array.from({ length: of + 1 }, (_, n) => {
    const item = node("span", "pv-key"), box = node("span", "pv-swatch");
    box.style.background = colour(view, n / of);
    const times = counts.filter((count) => count === n).length;
    const name = n === 0 ? "none" : n === of ? "all" : "";
    item.append(box, node("span", "", `${n}${name ? ` (${name})` : ""}`),
      node("span", "pv-muted", `× ${times}`));
    return item;
  });
  fill(view.$(".pv-agreelegend"), node("span", "pv-muted", "Kept by"), ...items);
}

export function agreementRead(view) {
  const token = view.cursor === null ? -1 : view.cellToken[view.cursor];
  const line = view.$(".pv-agreeread");
  if (token < 0) {
    line.textContent = "Point at a patch to read which methods keep it.";
    return;
  }
  const row = Math.floor(view.cursor / view.columns) + 1, column = view.cursor % view.columns + 1;
  const chose = view.panels.filter((p) => p.ready && !p.holders);
  const names = chose.filter((p) => p.state[token] === KEPT).map((p) => p.title);
  const into = view.panels.filter((p) => p.holders && p.holders[token] >= 0).map((p) => p.title);
  line.textContent = `Row ${row}, column ${column}: kept by ${names.length} of ` +
    `${view.overlapTitles.length}${names.length ? `: ${names.join(", ")}` : ""}` +
    `${into.length ? `; in a merged token of ${into.join(", ")}` : ""}.`;
}

export function matrix(view) {
  const grid = view.$(".pv-matrix"), head = node("tr"), names = view.overlapTitles;
  head.append(node("td"), ...names.map((name) => {
    const cell = node("th");
    cell.scope = "col";
    cell.append(node("span", "", name));
    return cell;
  }));
  const rows = view.overlaps.map((values, row) => {
    const line = node("tr"), title = node("th", "", names[row]);
    title.scope = "row";
    line.append(title, ...values.map((value, column) => {
      const cell = node("td", "", names.length > 9 ? value.toFixed(2).replace(/^0/, "") : value.toFixed(2));
      cell.style.background = colour(view, value);
      // Cividis passes the grey that suits neither black nor white just below its middle.
      cell.style.color = value > 0.47 ? "#000" : "#fff";
      cell.title = `${names[row]} and ${names[column]}: ${value.toFixed(3)}`;
      return cell;
    }));
    return line;
  });
  const merged = view.mergedTitles.map((name) => {
    const line = node("tr", "pv-mergedrow"), title = node("th", "", name);
    title.scope = "row";
    const cell = node("td", "", "merged: no choice of patches");
    cell.colSpan = names.length;
    line.append(title, cell);
    return line;
  });
  fill(grid, head, ...rows, ...merged);
}
