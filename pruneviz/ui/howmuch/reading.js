// Reading the plot by pointer and keys; a click or Enter asks which questions were lost at a point.
import { fill, node, svg } from "../shared/base.js";

const HELP = "Point at a mark to read its values, or focus the plot and use the arrow keys. Click it, or press Enter, to see which questions were lost there. Click a method above to hide it.";

export function point(view, found) {
  view.at = found;
  const tip = view.$(".pv-tip"), plot = view.$(".pv-plot");
  plot.querySelectorAll(".pv-aim").forEach((old) => old.remove());
  plot.querySelectorAll(".pv-interval").forEach((area) =>
    area.classList.toggle("pv-strong", Boolean(found) && area.dataset.method === found.curve.name));
  tip.hidden = !found;
  if (!found) {
    view.$(".pv-plotread").textContent = HELP;
    return;
  }
  plot.append(
    svg("line", { class: "pv-aim", x1: found.x, x2: found.x, y1: found.high, y2: found.low }),
    svg("circle", { class: "pv-aim", cx: found.x, cy: found.y, r: 13 }));
  // Cost and what was lost are of all questions; in a slice only its own share is known.
  const { p, worth } = found, lines = view.slice === "all" ? p.lines : p.lines.slice(0, 2);
  fill(tip, node("b", "", p.title), node("span", "", worth.text),
    ...lines.map((text) => node("span", "", text)));
  const box = plot.getBoundingClientRect(), wide = tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(found.x + 16, box.width - wide))}px`;
  tip.style.top = `${found.x + 16 + wide > box.width ? found.y + 18 : Math.max(0, found.y - 20)}px`;
  view.$(".pv-plotread").textContent = `${p.title}: ${[worth.text, ...lines].join("; ")}`;
}

function nearest(view, event) {
  const box = view.$(".pv-plot").getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  let best = null, least = 40 * 40;
  for (const dot of view.dots) {
    const away = (dot.x - x) ** 2 + (dot.y - y) ** 2;
    if (away < least) [best, least] = [dot, away];
  }
  return best;
}

function pick(view) {
  if (!view.at) return;
  view.given.trigger("pick", { method: view.at.curve.name, budget: view.at.p.budget, slice: view.slice });
}

function along(view, step) {
  const own = view.dots.filter((dot) => dot.curve === view.at.curve), place = own.indexOf(view.at);
  return own[Math.min(own.length - 1, Math.max(0, place + step))];
}

function across(view, step) {
  const curves = [...new Set(view.dots.map((dot) => dot.curve))], row = curves.indexOf(view.at.curve) + step;
  const next = view.dots.filter((dot) => dot.curve === curves[(row + curves.length) % curves.length]);
  return next.reduce((a, b) => (Math.abs(b.x - view.at.x) < Math.abs(a.x - view.at.x) ? b : a));
}

const MOVES = {
  ArrowLeft: (view) => along(view, -1), ArrowRight: (view) => along(view, 1),
  ArrowUp: (view) => across(view, -1), ArrowDown: (view) => across(view, 1),
};

function step(view, event) {
  if (event.key === "Escape") point(view, null);
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    pick(view);
  }
  if (!(event.key in MOVES) || !view.dots.length) return;
  event.preventDefault();
  point(view, view.at ? MOVES[event.key](view) : view.dots[0]);
}

// While the plot has the focus, a pointer that rests or passes by does not take the reading away.
function hover(view, event) {
  const found = event.type === "pointerleave" ? null : nearest(view, event);
  if (found || document.activeElement !== view.$(".pv-plot")) point(view, found);
}

export function wire(view) {
  for (const type of ["pointermove", "pointerdown", "pointerleave"]) {
    view.$(".pv-plot").addEventListener(type, (event) => hover(view, event));
  }
  view.$(".pv-plot").addEventListener("click", (event) => {
    const found = nearest(view, event);
    if (!found) return;
    point(view, found);
    pick(view);
  });
  view.$(".pv-plot").addEventListener("keydown", (event) => step(view, event));
}
