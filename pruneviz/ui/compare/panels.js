// One card a method: mask, badge, answer, difference and numbers.
const LARGEST = 300; // CSS pixels of a mask's height

function panelStates(panel, count) {
  if (count === null) return panel.state;
  const none = new Uint8Array(view.tokens).fill(DROPPED);
  return keepFirst(none, ranking(panel.previews, panel.order, count), count);
}

// Patches at the slider's budget; null = as run.
function previewCount(panel) {
  if (view.preview === null) return null;
  const count = countAt(panel.previews, view.preview.kind, view.preview.percent);
  return asRan(panel.previews, count, panel.kept) ? null : count;
}

function paintPanel(panel) {
  const wanted = previewCount(panel), count = wanted === BEYOND ? null : wanted;
  const [x0, y0, x1, y1] = view.window;
  const scale = Math.min(view.room / (x1 - x0), LARGEST / (y1 - y0));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale;
  const ctx = context(panel.canvas, width, height);
  const kept = drawPatches(ctx, panelStates(panel, count), width, height, scale, false);
  panel.canvas.setAttribute("aria-label",
    `${panel.title}: ${kept} of ${view.tokens} patches kept, on a grid of ${view.rows} rows and ${view.columns} columns.`);
  panelBadge(panel, wanted);
}

function panelBadge(panel, count) {
  const share = (n) => `${n} of ${view.tokens} patches`;
  let kind = "exact", text = `${share(panel.kept)}, as run`;
  if (count === BEYOND) {
    kind = "beyond";
    text = `cannot reach ${number(view.preview.percent)} %; shown: ${share(panel.kept)}`;
  } else if (count !== null) {
    kind = isExact(panel.previews, count, panel.kept) ? "exact" : "preview";
    text = share(count);
  }
  const words = { exact: "exact", preview: "preview", beyond: "out of reach" };
  fill(panel.badge, node("b", "", words[kind]), node("span", "", text));
  panel.badge.className = `pv-mbadge pv-m${kind}`;
  panel.badge.title = {
    exact: "These are the patches that the method keeps at this budget.",
    preview: "Drawn from the last run's ranking; scores may change with the budget.",
    beyond: "The method cannot spend so little, as it drops patches only inside the model.",
  }[kind];
  panel.said.classList.toggle("pv-stale", view.preview !== null && count !== null);
}

function chip(same) {
  const made = node("span", `pv-chip pv-${same ? "same" : "differs"}`);
  const mark = node("b", "", same ? "=" : "≠");
  mark.setAttribute("aria-hidden", "true");
  made.append(mark, ` ${same ? "same answer" : "different answer"}`);
  return made;
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

function numbers(facts) {
  const list = node("dl", "pv-facts");
  for (const [name, value] of facts) {
    const line = node("div");
    line.append(node("dt", "", name), node("dd", "", value));
    list.append(line);
  }
  return list;
}

function makeCard(panel) {
  const card = node("article", "pv-card pv-method-card");
  const head = node("header");
  panel.badge = node("p", "pv-mbadge");
  head.append(node("h3", "", panel.title));
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
  panel.said.append(numbers(panel.facts));
  const frame = node("div", "pv-maskbox");
  frame.append(panel.canvas);
  card.append(frame, panel.said);
  return card;
}
