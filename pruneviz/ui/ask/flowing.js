// The flow as part of the canvas: one kind of tokens is marked there and on the pictures at once.
import { flowButtons, flowPicture, markFlow } from "./flow.js";
import { paint } from "./paint.js";
import { drawEntering, goTo, pause, stripes } from "./player.js";
import { tokenAt } from "./readout.js";
import { fill, isDark, unpack } from "../shared/base.js";
import { fillCells } from "../shared/patches.js";

export const noFlow = () => ({ data: null, fates: null, over: null, pressed: null });
const markedKind = (view) => view.flowing.over ?? view.flowing.pressed;

export function adoptFlow(view, data) {
  Object.assign(view.flowing, { data, fates: unpack.u1(data.fates), over: null, pressed: null });
  fill(view.$(".pv-flowkinds"), ...flowButtons(data, flowEvents(view)));
  view.$(".pv-flowmark button").onclick = () => flowEvents(view).press(view.flowing.pressed);
  showFlow(view);
  showMark(view);
}

const flowEvents = (view) => ({
  over(number) {
    view.flowing.over = number;
    markKind(view);
  },
  press(number) {
    view.flowing.pressed = view.flowing.pressed === number ? null : number;
    const { layer } = view.flowing.data.kinds[number];
    if (view.flowing.pressed !== null && layer !== null) {
      pause(view);
      goTo(view, layer); // the first layer without them
    }
    markKind(view);
  },
});

// As wide as there is room.
export function showFlow(view) {
  const host = view.$(".pv-flowpic"), width = host.clientWidth;
  if (!view.flowing.data || !width) return;
  fill(host, flowPicture(view.flowing.data, width, flowEvents(view)));
  pointFlow(view);
}

// Under the picture as well: its stripes outlast the tab that explains them.
function showMark(view) {
  const { data, pressed } = view.flowing, line = view.$(".pv-flowmark");
  line.hidden = pressed === null;
  if (pressed !== null) line.firstChild.textContent = `Striped: ${data.kinds[pressed].text}.`;
}

function markKind(view) {
  showMark(view);
  pointFlow(view);
  paint(view);
  drawEntering(view);
}

export function pointFlow(view) {
  if (!view.flowing.data) return;
  const token = tokenAt(view, view.cursor);
  const pointed = token < 0 ? null : view.flowing.fates[token], marked = markedKind(view);
  markFlow(view.$(".pv-flow"), { marked, pressed: view.flowing.pressed, pointed });
  const told = pointed === null ? marked : pointed;
  view.$(".pv-flowread").textContent = told === null ? "Point at a band, or at a patch on a picture."
    : `${pointed === null ? "Marked on the pictures" : "This patch is one of"}: ${view.flowing.data.kinds[told].text}`;
  view.root.dataset.flow = `${marked ?? ""}:${pointed ?? ""}`;
}

const FLOW_COLOURS = { kept: ["#15703f", "#6fcf97"], pinned: ["#15703f", "#6fcf97"],
  merged: ["#1d4ed8", "#93b4ff"], dropped: ["#b4431f", "#f0926b"], banned: ["#b4431f", "#f0926b"] };

// Stripes over exactly the patches of the marked kind; returns whether one is.
export function drawMarked(view, ctx, scale) {
  const marked = markedKind(view);
  if (!view.flowing.data || marked === null) return false;
  const colour = FLOW_COLOURS[view.flowing.data.kinds[marked].end][Number(isDark(view))];
  fillCells(view, ctx, view.flowing.fates, marked, scale, stripes(ctx, colour));
  return true;
}
