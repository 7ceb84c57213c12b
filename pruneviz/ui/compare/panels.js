// One card a method: mask, badge, answer, difference and numbers.
import { look } from "./table.js";
import { chip, context, DROPPED, fill, KEPT, node, number } from "../shared/base.js";
import { paintGroups } from "../shared/groups.js";
import { drawPatches } from "../shared/patches.js";
import { asRan, BEYOND, countAt, isExact, keepFirst, ranking } from "../shared/previews.js";

const LARGEST = 300; // CSS pixels of a mask's height

const MERGED = 3;

// What a merged patch showed is still in the model: it is painted like a kept one, in its group.
export function panelStates(view, panel, count) {
  if (count === null) return panel.state.map((state) => (state === MERGED ? KEPT : state));
  const none = new Uint8Array(view.tokens).fill(DROPPED);
  return keepFirst(none, ranking(panel.previews, panel.order, count), count);
}

// Patches at the slider's budget; null = as run. Which patches go together, only a run can tell.
export function previewCount(view, panel) {
  if (view.preview === null || panel.holders) return null;
  const count = countAt(panel.previews, view.preview.kind, view.preview.percent);
  return asRan(panel.previews, count, panel.kept) ? null : count;
}

export function paintPanel(view, panel) {
  const wanted = previewCount(view, panel), count = wanted === BEYOND ? null : wanted;
  const [x0, y0, x1, y1] = view.window;
  const scale = Math.min(view.room / (x1 - x0), LARGEST / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  const ctx = context(panel.canvas, width, height);
  const groups = panel.holders && count === null;
  const kept = drawPatches(view, ctx, panelStates(view, panel, count), width, height, scale, null,
    groups ? () => paintGroups(view, ctx, panel.holders, scale) : null);
  const said = groups ? panel.left : `${kept} of ${view.tokens} patches kept`;
  panel.canvas.setAttribute("aria-label",
    `${panel.title}: ${said}, on a grid of ${view.rows} rows and ${view.columns} columns.`);
  panelBadge(view, panel, wanted);
}

function panelBadge(view, panel, count) {
  const share = (n) => `${n} of ${view.tokens} patches`;
  let kind = "exact", text = `${panel.left}, as run`;
  if (view.preview !== null && panel.holders) {
    kind = "waits";
    text = `groups at ${number(view.preview.percent)} % need a run; shown: ${panel.left}`;
  } else if (count === BEYOND) {
    kind = "beyond";
    text = `cannot reach ${number(view.preview.percent)} %; shown: ${panel.left}`;
  } else if (count !== null) {
    kind = isExact(panel.previews, count, panel.kept) ? "exact" : "preview";
    text = share(count);
  }
  const words = { exact: "exact", preview: "preview", beyond: "out of reach", waits: "last run" };
  fill(panel.badge, node("b", "", words[kind]), node("span", "", text));
  panel.badge.className = `pv-mbadge pv-m${kind}`;
  panel.badge.title = {
    exact: "These are the patches that the method keeps at this budget.",
    preview: "Drawn from the last run's ranking; scores may change with the budget.",
    beyond: "The method cannot spend so little, as it drops patches only inside the model.",
    waits: "Which patches a method merges at another budget, only a run can tell.",
  }[kind];
  panel.said.classList.toggle("pv-stale", view.preview !== null && (count !== null || Boolean(panel.holders)));
}

function diffRow(name, tokens, tag, title) {
  const row = node("div", "pv-diffrow"), line = node("p");
  for (const [token, marked] of tokens) {
    const part = node(marked ? tag : "span", "", token.trim().replace(/\n/g, "↵") || "\u00a0");
    if (marked) part.title = title;
    line.append(part);
  }
  row.append(node("b", "", name), line);
  return row;
}

function difference(panel) {
  const box = node("div", "pv-diff");
  box.append(diffRow("Baseline", panel.diff[0], "del", "only in the baseline"),
    diffRow("Pruned", panel.diff[1], "ins", "only in the pruned answer"));
  return box;
}

function numbers(view, told) {
  const list = node("dl", "pv-facts");
  told.forEach(({ text }, index) => {
    if (!text) return;
    const line = node("div");
    line.append(node("dt", "", view.measures[index].title), node("dd", "", text));
    list.append(line);
  });
  const more = node("details", "pv-numbers");
  more.append(node("summary", "", "Numbers"), list);
  return more;
}

export function makeCard(view, panel) {
  const card = node("article", "pv-card pv-method-card");
  const head = node("header");
  panel.badge = node("p", "pv-mbadge");
  const name = node("h3");
  name.append(look(panel), node("span", "", panel.title));
  head.append(name);
  card.append(head);
  card.dataset.method = panel.title;
  if (!panel.ready) {
    card.dataset.state = panel.problem ? "problem" : "waiting";
    card.append(node("p", panel.problem ? "pv-problem" : "pv-muted", panel.problem || "waiting …"));
    return card;
  }
  card.dataset.state = "done";
  head.append(panel.badge);
  panel.canvas = node("canvas", "pv-mask");
  panel.canvas.setAttribute("role", "img");
  panel.said = node("div", "pv-saidbox");
  const line = node("div", "pv-answerline");
  line.append(node("p", "pv-answer", panel.answer || "(empty answer)"), chip(panel.same));
  panel.said.append(line);
  if (panel.diff) panel.said.append(difference(panel));
  panel.said.append(numbers(view, panel.told));
  const frame = node("div", "pv-maskbox");
  frame.append(panel.canvas);
  card.append(frame, panel.said);
  return card;
}
