// To the left and right of the map of two methods: what each of them keeps by itself, as run.
import { panelStates } from "./panels.js";
import { chosen } from "./pair.js";
import { context } from "../shared/base.js";
import { drawPatches } from "../shared/patches.js";

export function paintSides(view, width, height, scale) {
  const both = chosen(view);
  for (const key of ["a", "b"]) {
    const panel = both[view.pair[key]], canvas = view.$(`.pv-pairown${key}`);
    if (!canvas.parentElement.clientWidth) continue; // on a phone the cards above show it
    const ctx = context(canvas, width, height);
    const kept = drawPatches(view, ctx, panelStates(view, panel, null), width, height, scale, null, null);
    const said = `${kept} of ${view.tokens} patches kept`;
    canvas.setAttribute("aria-label", `${panel.title}: ${said}.`);
    view.$(`.pv-pairsaid${key}`).textContent = said;
  }
}
