// The keep ratio's slider: what the canvas shows at its budget, and when that is asked anew.
import { settle } from "./pins.js";
import { onSlide, watchStale } from "../shared/base.js";
import { BEYOND, countAt, learn } from "../shared/previews.js";

const REST = 450; // milliseconds without a move
function rest(view) {
  clearTimeout(view.resting);
  view.resting = setTimeout(() => {
    view.due = false;
    view.given.trigger("rest", {});
  }, REST);
}

// No server takes part at whole percents.
function keepAt(view, percent) {
  if (!view.ready || !(percent > 0) || !view.stages.length) return;
  const turn = ++view.latest, count = countAt(view.previews, "final", percent);
  if (count === undefined) {
    learn(view, view.previews, "final", percent).then(() => { if (turn === view.latest) keepAt(view, percent); });
    return;
  }
  Object.assign(view, { budget: count, percent });
  settle(view);
  clearTimeout(view.resting);
  if (view.preview !== null || view.budget === BEYOND || view.due) rest(view);
}

// What the slider and the gallery tell.
export function wireSlider(view) {
  onSlide("pv-keep", (percent) => keepAt(view, percent));
  // Also when the number is typed, reset or set with an example.
  window.addEventListener("pruneviz:keep", (event) => keepAt(view, Number(event.detail)));
  // An example was chosen; if that moves the slider too, one run answers both.
  window.addEventListener("pruneviz:example", () => {
    if (!view.root.offsetParent) return;
    view.due = true;
    rest(view);
  });
  const stale = watchStale("ask");
  document.addEventListener("input", (event) => {
    if (event.target.closest && event.target.closest("#pv-method")) stale();
  }, true);
}
