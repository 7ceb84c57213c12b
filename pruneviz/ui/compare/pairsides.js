// To the left and right of the map of two methods: what each of them keeps by itself, as run.
function paintSides(width, height, scale) {
  const both = chosen();
  for (const key of ["a", "b"]) {
    const panel = both[pair[key]], canvas = $(`.pv-pairown${key}`);
    if (!canvas.parentElement.clientWidth) continue; // on a phone the cards above show it
    const ctx = context(canvas, width, height);
    const kept = drawPatches(ctx, panelStates(panel, null), width, height, scale, false, null);
    const said = `${kept} of ${view.tokens} patches kept`;
    canvas.setAttribute("aria-label", `${panel.title}: ${said}.`);
    $(`.pv-pairsaid${key}`).textContent = said;
  }
}
