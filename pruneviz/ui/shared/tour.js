// A minute for newcomers: four notes beside what they speak of; skipped once, it stays away.
import { makeView, node } from "./base.js";

const NOTES = [
  ["#pv-image", "A vision-language model reads a picture as a grid of patches: each becomes one visual token, " +
    "256 in the built-in model, and every layer works on all of them."],
  ["#pv-keep", "The keep ratio says how many are left after the last pruning step. Drag it: mask, answer and cost " +
    "follow; the marks show from where on the answer stays, and where it breaks."],
  ["#pv-method", "Methods differ in how they choose: by how tokens change from layer to layer (TransPrune), by what " +
    "rebuilds the rest (ResPrune), by the encoder's attention (FoPru). Random is the control to beat."],
  ["#pv-more", "Why, at what cost, and what really matters stand below. Compare runs methods side by side, " +
    "Sweep over budgets."],
];
const SEEN = "pruneviz-tour";

function button(text, press) {
  const made = node("button", "pv-btn", text);
  made.type = "button";
  made.addEventListener("click", press);
  return made;
}

function remember() {
  try { localStorage.setItem(SEEN, "yes"); } catch { /* Private windows may refuse. */ }
}

function seen() {
  try { return localStorage.getItem(SEEN) === "yes"; } catch { return true; }
}

function end(view) {
  remember();
  mark(-1);
  view.root.hidden = true;
}

function mark(index) {
  document.querySelectorAll(".pv-toured").forEach((one) => one.classList.remove("pv-toured"));
  const target = index >= 0 && document.querySelector(NOTES[index][0]);
  if (!target) return;
  target.classList.add("pv-toured");
  target.scrollIntoView({ block: "nearest" });
}

function show(view, index) {
  mark(index);
  const row = node("div", "pv-tourbuttons");
  // The way on comes first: it stays under the pointer from note to note.
  row.append(index + 1 < NOTES.length ? button("Next", () => show(view, index + 1)) : button("Done", () => end(view)));
  if (index > 0) row.append(button("Back", () => show(view, index - 1)));
  if (index + 1 < NOTES.length) row.append(button("Skip", () => end(view)));
  view.root.replaceChildren(node("p", "pv-tourcount", `${index + 1} of ${NOTES.length}`),
    node("p", "pv-tourtext", NOTES[index][1]), row);
  view.root.hidden = false;
  row.firstChild.focus({ preventScroll: true });  // the button that was pressed is gone
}

function invite(view) {
  const row = node("div", "pv-tourbuttons");
  row.append(button("Show me, it takes a minute", () => show(view, 0)), button("No, thanks", () => end(view)));
  view.root.replaceChildren(
    node("p", "pv-tourtext", "New here? What a visual token is, and what the slider does."), row);
  view.root.hidden = false;
}

export function mount(given) {
  const view = makeView(given, ".pv-tour", {});
  view.root.addEventListener("keydown", (event) => { if (event.key === "Escape") end(view); });
  view.$(".pv-tourstart").addEventListener("click", () => show(view, 0));
  if (!seen()) invite(view);
}
