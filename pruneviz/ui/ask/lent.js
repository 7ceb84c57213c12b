// Masks of budgets that ran behind the result, with its pins: with them the preview is exact. Once
// the pins are others, no run behind the result tells anything of them.
import { pinned, pinText } from "./pins.js";
import { unpack } from "../shared/base.js";

export function wireRan(view) {
  window.addEventListener("pruneviz:answers", (event) => {
    view.ran = event.detail.filter((row) => row.mask).map((row) => ({ ...row, mask: unpack.u1(row.mask) }));
  });
}

export function forgetRan(view) {
  view.ran = [];
}

export const pinsAsRan = (view) => pinText(view) === view.ranPins;

// With several stages the same count at the end may come from other ones before.
function ranHere(view, row) {
  return view.previews.single ? row.budget === view.budget : Math.abs(row.percent - view.percent) < 1e-6;
}

// Of a pinned result: the patches that a run with these pins kept at the slider's budget.
export function pinnedMask(view) {
  const row = pinned(view) && pinsAsRan(view) ? view.ran.find((one) => ranHere(view, one)) : null;
  return row ? row.mask : null;
}

export function lendMasks(view) {
  const { masks, single } = view.previews;
  view.ran.forEach((row) => {
    // What is foreseen without any run stays.
    if (masks.get(row.budget) === row.mask) masks.delete(row.budget);
  });
  if (pinned(view) || !pinsAsRan(view)) return;
  view.ran.filter((row) => single || ranHere(view, row)).forEach((row) => {
    if (!masks.has(row.budget)) masks.set(row.budget, row.mask);
  });
}
