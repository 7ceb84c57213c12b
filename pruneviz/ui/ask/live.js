// The answer at the slider's budget, looked up among those that were worked out; and ticks on the
// slider where it holds and where it breaks.
import { chip, fill, makeView, node } from "../shared/base.js";

function rowsAround(view, count, percent) {
  const rows = (view.given.props.value && view.given.props.value.rows) || [];
  // With several stages the same count at the end may come from other ones before.
  const same = (row) => row.budget === count
    && (view.given.props.value.single || Math.abs(row.percent - percent) < 1e-6);
  const at = rows.find(same);
  if (at) return [at, at];
  const below = rows.filter((row) => row.budget < count), above = rows.filter((row) => row.budget >= count);
  return [below[below.length - 1] || null, above[0] || null];
}

const patches = (count) => `${count} ${count === 1 ? "patch" : "patches"}`;

// Which answer to show for a count, and how sure that is.
function lookUp(view, count, percent) {
  const [below, above] = rowsAround(view, count, percent);
  if (below && below === above) return { row: below, exact: true, note: patches(below.kept) };
  if (!below && !above) return null;
  const near = !below ? above : !above ? below
    : Math.log(count / below.budget) < Math.log(above.budget / count) ? below : above;
  const agree = below && above && below.text === above.text;
  const note = agree ? `as at ${below.kept} and ${above.kept} patches` : `as at ${patches(near.kept)}`;
  return { row: near, exact: false, note };
}

function card(view, found) {
  const made = node("article", "pv-card"), head = node("header");
  head.append(node("h2", "", view.given.props.value.method),
    node("span", "pv-detail", `${found.exact ? "exact" : "preview"}: ${found.note}`));
  made.append(head, node("p", "pv-answer", found.row.text || "(empty answer)"), chip(found.row.same));
  return made;
}

// The line below the answers: of this budget where it ran, else the run's own, dimmed.
function cost(lines, live) {
  const summary = document.querySelector("#pv-summary");
  if (!summary) return;
  let own = summary.parentElement.querySelector(".pv-livecost");
  if (!own) {
    own = node("ul", "pv-costline pv-livecost");
    summary.after(own);
  }
  summary.toggleAttribute("data-live", live && !lines);
  summary.hidden = Boolean(lines);
  own.hidden = !lines;
  fill(own, ...(lines || []).map(([count, what, share]) => {
    const item = node("li");
    item.append(node("b", "", count), ` ${what} `, node("b", "", share));
    return item;
  }));
}

function show(view) {
  const started = performance.now();
  const found = view.moved && view.moved.shown ? lookUp(view, view.moved.count, view.moved.percent) : null;
  const answers = document.querySelector("#pv-tab-ask .pv-answers");
  if (answers) answers.toggleAttribute("data-live", Boolean(found));
  cost(found && found.exact ? found.row.cost : null, Boolean(found));
  view.root.hidden = !found;
  if (found) fill(view.root, card(view, found));
  view.root.dataset.milliseconds = (performance.now() - started).toFixed(2);
}

// Where a percentage lies along the slider's track, whose thumb stays inside its ends.
function placed(range, strip, percent) {
  const low = Number(range.min), high = Number(range.max), thumb = 16;
  const unit = (Math.min(high, Math.max(low, percent)) - low) / (high - low);
  const [track, own] = [range.getBoundingClientRect(), strip.getBoundingClientRect()];
  return track.left - own.left + thumb / 2 + unit * (track.width - thumb);
}

const inPercent = (value) => `${+value.toPrecision(3)} %`;

function said(data) {
  const first = data.same >= 100 ? "only all patches give the same answer"
    : `same answer from ${inPercent(data.same)} on`;
  const made = [node("span", "pv-word-same", first)];
  if (data.breaks !== null) made.push(node("span", "pv-word-breaks", `breaks at ${inPercent(data.breaks)}`));
  return made;
}

function marks(view) {
  const range = document.querySelector("#pv-keep input[type=range]");
  if (!range) return;
  let strip = document.querySelector("#pv-keep .pv-ticks");
  if (!strip) {
    strip = node("div", "pv-ticks");
    range.parentElement.after(strip);
  }
  const data = view.given.props.value, known = data && typeof data.same === "number";
  if (!known) {
    strip.replaceChildren();
    return;
  }
  const words = node("p", "pv-tickwords");
  words.append(...said(data));
  strip.replaceChildren(words);
  for (const [kind, percent] of [["same", data.same], ["breaks", data.breaks]]) {
    if (percent === null) continue;
    const mark = node("i", `pv-mark-${kind}`);
    mark.style.left = `${placed(range, strip, percent)}px`;
    mark.dataset.percent = percent;
    strip.append(mark);
  }
}

function adopt(view) {
  const rows = (view.given.props.value && view.given.props.value.rows) || [];
  window.dispatchEvent(new CustomEvent("pruneviz:answers", { detail: rows }));
  marks(view);
  show(view);
}

export function mount(given) {
  // What the slider last asked for: { count, percent, shown }.
  const view = makeView(given, ".pv-live", { moved: null });
  window.addEventListener("pruneviz:moved", (event) => {
    view.moved = event.detail;
    show(view);
  });
  window.addEventListener("resize", () => marks(view));
  given.watch("value", () => adopt(view));
  adopt(view);
}
