// What is said about the patch under the cursor, the legend and the badge.
import { pinnedMask } from "./lent.js";
import { isGroups, losesHere, mergedCount, mergedText, merges } from "./merged.js";
import { isHeat, shownValues, stageStates } from "./paint.js";
import { pinned, pinOf } from "./pins.js";
import { scoreBar } from "./threshold.js";
import {
  colourBar, DROPPED, FELL, fill, isCropped, KEPT, node, number, plural, range, swatch,
} from "../shared/base.js";
import { cellBox } from "../shared/patches.js";
import { BEYOND, isExact } from "../shared/previews.js";

export function tokenAt(view, cell) {
  return cell === null ? -1 : view.cellToken[cell];
}

function fate(view, token) {
  const index = view.stages.findIndex((stage) => stage.state[token] === DROPPED);
  if (index < 0) return ["Kept to the end", null];
  const stage = view.stages[index];
  const verb = stage.into && stage.into[token] >= 0 ? "Merged" : "Dropped";
  return [`${verb} ${stage.title.toLowerCase().replace("llm", "LLM")}`, index];
}

export function readout(view) {
  const box = view.$(".pv-readout");
  const token = tokenAt(view, view.cursor);
  if (token < 0) {
    fill(box, stageSummary(view), node("p", "pv-readhint",
      "Point at a patch to read its score, rank and fate, or focus the picture and use the arrow " +
      "keys. A click keeps the read-out; Escape lets it go."));
    return;
  }
  const [left, top, right, bottom] = cellBox(view, view.cursor).map(Math.round);
  const row = Math.floor(view.cursor / view.columns) + 1, column = view.cursor % view.columns + 1;
  const [text, fell] = fate(view, token);
  const mark = fell === null ? "pv-kept" : text.startsWith("Merged") ? "pv-joined" : "pv-dropped";
  const verdict = node("p", `pv-verdict ${mark}`, text);
  fill(box,
    node("p", "pv-where", `Row ${row}, column ${column}`),
    node("p", "pv-pixels", `Patch ${token + 1} of ${view.tokens}, pixels ${left}–${right} × ${top}–${bottom}`),
    verdict);
  if (mergedText(view, token)) box.append(node("p", "pv-byhand", mergedText(view, token)));
  if (pinOf(view, token)) box.append(node("p", "pv-byhand", `${pinOf(view, token)}.`));
  if (!view.stages.length) return;
  box.append(stageTable(view, token));
  const shown = fell !== null && (view.stage === 0 || fell < view.stage - 1) ? fell
    : Math.max(0, view.stage - 1);
  const stage = view.stages[shown];
  if (Object.keys(stage.parts).length) box.append(terms(view, stage, token));
}

// What each stage did, while no patch is pointed at.
function stageSummary(view) {
  const box = node("div", "pv-summary");
  if (!view.stages.length) return box;
  const table = node("table", "pv-stagetable"), head = node("tr"), top = node("thead");
  head.append(...["Stage", "Before", "Kept", "Lowest kept score"].map((t) => node("th", "", t)));
  top.append(head);
  const body = node("tbody");
  for (const stage of view.stages) {
    const row = node("tr");
    row.append(node("th", "", stage.title), node("td", "", String(stage.alive)),
      node("td", "", String(stage.kept)), node("td", "", number(stage.cut)));
    body.append(row);
  }
  table.append(top, body);
  box.append(node("p", "pv-where", "Pruning stages"), table);
  return box;
}

function stageTable(view, token) {
  const table = node("table", "pv-stagetable");
  const head = node("tr");
  head.append(...["Stage", "Rank", "Score", "To the cut"].map((t) => node("th", "", t)));
  const body = node("tbody");
  for (const stage of view.stages) {
    const row = node("tr");
    row.append(node("th", "", stage.title));
    if (stage.state[token] === FELL) {
      const gone = node("td", "pv-gone", "already gone");
      gone.colSpan = 3;
      row.append(gone);
    } else {
      const away = stage.scores[token] - stage.cut;
      const below = stage.state[token] === DROPPED;
      row.append(
        node("td", "", `${stage.ranks[token]} / ${stage.alive}`),
        node("td", "", number(stage.scores[token])),
        node("td", below ? "pv-below" : "pv-above",
          stage.cut === null ? "" : `${number(Math.abs(away))} ${below ? "below" : "above"}`));
    }
    body.append(row);
  }
  const top = node("thead");
  top.append(head);
  table.append(top, body);
  return table;
}

// The terms of the score at one stage; the bar compares each with its largest value there.
function terms(view, stage, token) {
  const box = node("div", "pv-terms");
  box.append(node("p", "pv-termhead", `Terms of the score ${stage.title.toLowerCase().replace("llm", "LLM")}`));
  for (const [name, values] of Object.entries(stage.parts)) {
    const [low, high] = range(values);
    const line = node("div", "pv-term");
    const bar = node("span", "pv-meter");
    const part = node("span");
    const share = high > low ? (values[token] - low) / (high - low) : 1;
    part.style.width = `${Math.round(100 * Math.max(0, share)) || 0}%`;
    bar.append(part);
    line.append(node("span", "pv-termname", partTitle(name)), bar,
      node("span", "pv-termvalue", number(values[token])));
    box.append(line);
    if (view.notes[name]) box.append(node("p", "pv-termnote", view.notes[name]));
  }
  if (view.formula) box.append(node("p", "pv-formula", view.formula));
  return box;
}

export const partTitle = (name) => ({ ttv: "TTV", iga: "IGA" }[name]
  || name.charAt(0).toUpperCase() + name.slice(1));

export function legend(view) {
  const items = [];
  if (isHeat(view)) {
    const [low, high] = range(shownValues(view));
    const name = view.show === "score" ? "score" : partTitle(view.show);
    const bar = colourBar(view, `lowest: ${number(low)}`, `highest: ${number(high)}`, `${name}, by rank`);
    items.push(...(view.show === "score" ? scoreBar(view, bar, view.stages[view.stage - 1]) : [bar]));
    items.push(swatch("line", "edge between kept and dropped"));
    if (view.stage > 1) items.push(swatch("before", "dropped earlier"));
  } else {
    if (isGroups(view)) items.push(swatch("groupkey", "one colour, one token; the dot stands for it"));
    else if (merges(view)) items.push(swatch("merged", "merged into a kept one"));
    items.push(swatch("on", "kept"));
    if (losesHere(view)) items.push(swatch("off", "dropped here"));
    if (view.stage > 1 && view.preview === null) items.push(swatch("before", "dropped earlier"));
  }
  if (view.pins.keep.size) items.push(swatch("handkept", "kept by hand"));
  if (view.pins.drop.size) items.push(swatch("handdropped", "dropped by hand"));
  if (isCropped(view)) items.push(swatch("unseen", "never seen by the model (cropped)"));
  fill(view.$(".pv-legend"), ...items);
}

export function badge(view) {
  const text = view.$(".pv-badge");
  text.title = "";
  const share = (count) => `${count} of ${view.tokens} patches (${+(100 * count / view.tokens).toPrecision(3)} %)`;
  text.classList.toggle("pv-preview", view.preview !== null);
  if (view.preview !== null) {
    const exact = pinned(view) ? Boolean(pinnedMask(view)) : isExact(view.previews, view.preview, view.stages[0].kept);
    const again = pinned(view) && !exact ? " Ask again to run it with the pins." : "";
    text.textContent = `${exact ? "Exact" : "Preview"}: ${share(view.count)}` +
      (exact ? `${pinned(view) ? ", with the pins" : ""}.` : `, by the last run's ranking.${again}`);
    text.title = exact ? `The method's own choice at this keep ratio${pinned(view) ? " and with these pins" : ""}.`
      : "Scores may change with the budget; Ask runs it.";
  } else if (view.budget === BEYOND) {
    text.textContent = "Out of reach: no run is possible at this keep ratio. Shown is the last run.";
  } else if (view.stage === 0) {
    text.textContent = `All ${view.tokens} patches enter the model, as in the baseline.`;
  } else {
    const stage = view.stages[view.stage - 1];
    const rest = stage.into ? mergedCount(stage) : `${stage.alive - stage.kept} dropped here`;
    const what = stage.into ? share(stage.kept).replace("patches", "tokens") : share(stage.kept);
    text.textContent = [`${stage.title}: ${what} kept, ${rest}.`, ...stage.notes].join(" ");
  }
}

function stageName(view) {
  if (view.preview !== null) return pinned(view) ? "with these pins" : "at the slider's keep ratio";
  return view.stage === 0 ? "before any pruning" : view.stages[view.stage - 1].title.toLowerCase()
    .replace("llm", "LLM");
}

export function describe(view, canvas, count) {
  canvas.setAttribute("aria-label",
    `${count} of ${view.tokens} patches kept ${stageName(view)}, on a grid of ${view.rows} rows and ` +
    `${view.columns} columns. Arrow keys move from patch to patch; K keeps, D drops, E erases a pin.`);
}

// Rows and column spans of kept patches, for those who cannot see the picture.
export function asText(view) {
  const states = stageStates(view);
  const rows = Array.from({ length: view.rows }, () => []);
  for (let token = 0; token < view.tokens; token++) {
    const cell = view.cells[token];
    if (cell < 0 || states[token] !== KEPT) continue;
    const column = cell % view.columns + 1, spans = rows[Math.floor(cell / view.columns)];
    const last = spans[spans.length - 1];
    if (last && last[1] === column - 1) last[1] = column;
    else spans.push([column, column]);
  }
  const lines = rows.map((spans, row) => spans.length
    ? `row ${row + 1}: ${spans.map(([a, b]) => (a === b ? a : `${a} to ${b}`)).join(", ")}` : "")
    .filter(Boolean);
  return `${plural(view.count, "patch").replace("patchs", "patches")} of ${view.tokens} kept ` +
    `${stageName(view)}. Columns by row: ${lines.join("; ")}.`;
}
