// Masks of budgets that ran behind the result, with its pins: with them the preview is exact. Once
// the pins are others, no run behind the result tells anything of them.
let ran = [];
window.addEventListener("pruneviz:answers", (event) => {
  ran = event.detail.filter((row) => row.mask).map((row) => ({ ...row, mask: unpack.u1(row.mask) }));
});

function forgetRan() {
  ran = [];
}

const pinsAsRan = () => pinText() === view.ranPins;

// With several stages the same count at the end may come from other ones before.
function ranHere(row) {
  return view.previews.single ? row.budget === view.budget : Math.abs(row.percent - view.percent) < 1e-6;
}

// Of a pinned result: the patches that a run with these pins kept at the slider's budget.
function pinnedMask() {
  const row = pinned() && pinsAsRan() ? ran.find(ranHere) : null;
  return row ? row.mask : null;
}

function lendMasks() {
  const { masks, single } = view.previews;
  ran.forEach((row) => {
    // What is foreseen without any run stays.
    if (masks.get(row.budget) === row.mask) masks.delete(row.budget);
  });
  if (pinned() || !pinsAsRan()) return;
  ran.filter((row) => single || ranHere(row)).forEach((row) => {
    if (!masks.has(row.budget)) masks.set(row.budget, row.mask);
  });
}
