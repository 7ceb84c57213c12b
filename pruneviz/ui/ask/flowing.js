// The flow as part of the canvas: one kind of tokens is marked there and on the pictures at once.
const flow = { data: null, fates: null, over: null, pressed: null };
const markedKind = () => flow.over ?? flow.pressed;

function adoptFlow(data) {
  Object.assign(flow, { data, fates: unpack.u1(data.fates), over: null, pressed: null });
  fill($(".pv-flowkinds"), ...flowButtons(data, flowEvents));
  showFlow();
}

const flowEvents = {
  over(number) {
    flow.over = number;
    markKind();
  },
  press(number) {
    flow.pressed = flow.pressed === number ? null : number;
    const { layer } = flow.data.kinds[number];
    if (flow.pressed !== null && layer !== null) {
      pause();
      goTo(layer); // the first layer without them
    }
    markKind();
  },
};

// As wide as there is room.
function showFlow() {
  const host = $(".pv-flowpic"), width = host.clientWidth;
  if (!flow.data || !width) return;
  fill(host, flowPicture(flow.data, width, flowEvents));
  pointFlow();
}

function markKind() {
  pointFlow();
  paint();
  drawEntering();
}

function pointFlow() {
  if (!flow.data) return;
  const token = tokenAt(view.cursor);
  const pointed = token < 0 ? null : flow.fates[token], marked = markedKind();
  markFlow($(".pv-flow"), { marked, pressed: flow.pressed, pointed });
  const told = pointed === null ? marked : pointed;
  $(".pv-flowread").textContent = told === null ? "Point at a band, or at a patch on a picture."
    : `${pointed === null ? "Marked on the pictures" : "This patch is one of"}: ${flow.data.kinds[told].text}`;
  root.dataset.flow = `${marked ?? ""}:${pointed ?? ""}`;
}

const FLOW_COLOURS = { kept: ["#15703f", "#6fcf97"], pinned: ["#15703f", "#6fcf97"],
  merged: ["#1d4ed8", "#93b4ff"], dropped: ["#b4431f", "#f0926b"], banned: ["#b4431f", "#f0926b"] };

// Stripes over exactly the patches of the marked kind; returns whether one is.
function drawMarked(ctx, scale) {
  const marked = markedKind();
  if (!flow.data || marked === null) return false;
  const colour = FLOW_COLOURS[flow.data.kinds[marked].end][Number(isDark())];
  fillCells(ctx, flow.fates, marked, scale, stripes(ctx, colour));
  return true;
}
