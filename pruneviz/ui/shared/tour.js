// A minute for newcomers: four notes beside what they speak of; skipped once, it stays away.
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
const box = element.querySelector(".pv-tour");
let at = -1;

function made(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function button(text, press) {
  const node = made("button", "pv-btn", text);
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

function remember() {
  try { localStorage.setItem(SEEN, "yes"); } catch { /* Private windows may refuse. */ }
}

function seen() {
  try { return localStorage.getItem(SEEN) === "yes"; } catch { return true; }
}

function end() {
  remember();
  mark(-1);
  box.hidden = true;
}

function mark(index) {
  document.querySelectorAll(".pv-toured").forEach((one) => one.classList.remove("pv-toured"));
  at = index;
  const target = index >= 0 && document.querySelector(NOTES[index][0]);
  if (!target) return;
  target.classList.add("pv-toured");
  target.scrollIntoView({ block: "nearest" });
}

function show(index) {
  mark(index);
  const row = made("div", "pv-tourbuttons", "");
  if (index > 0) row.append(button("Back", () => show(index - 1)));
  row.append(index + 1 < NOTES.length ? button("Next", () => show(index + 1)) : button("Done", end));
  if (index + 1 < NOTES.length) row.append(button("Skip", end));
  box.replaceChildren(made("p", "pv-tourcount", `${index + 1} of ${NOTES.length}`),
    made("p", "pv-tourtext", NOTES[index][1]), row);
  box.hidden = false;
}

function invite() {
  const row = made("div", "pv-tourbuttons", "");
  row.append(button("Show me, it takes a minute", () => show(0)), button("No, thanks", end));
  box.replaceChildren(made("p", "pv-tourtext", "New here? What a visual token is, and what the slider does."), row);
  box.hidden = false;
}

box.addEventListener("keydown", (event) => { if (event.key === "Escape") end(); });
element.querySelector(".pv-tourstart").addEventListener("click", () => show(0));
if (!seen()) invite();
