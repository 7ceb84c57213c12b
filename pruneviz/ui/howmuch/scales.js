// State of the How much plot, and what lies where. Numbers come rounded, as words, from Python.
import { range } from "../shared/base.js";
import { linearTicks, PAD } from "../sweep/plot.js";

export function state() {
  return {
    ready: false, axis: 0, slice: "all", hidden: new Set(), at: null, dots: [], queued: 0,
  };
}

export const NARROW = 560;

export const sliceAt = (view) => Math.max(0, view.slices.findIndex((slice) => slice.name === view.slice));
export const worthOf = (view, point) => point.worth[sliceAt(view)];
export const unpruned = (view) => view.slices[sliceAt(view)].unpruned;

// Curves that are shown, each with its points that have an answer in this slice, by rising cost.
export function shown(view) {
  return view.curves.filter((curve) => !view.hidden.has(curve.name)).map((curve) => ({
    ...curve,
    points: curve.points.filter((p) => worthOf(view, p) && p.x[view.axis] > 0)
      .sort((a, b) => a.x[view.axis] - b.x[view.axis]),
  })).filter((curve) => curve.points.length);
}

export function scales(view, curves, width, height) {
  const xs = curves.flatMap((curve) => curve.points.map((p) => p.x[view.axis]));
  const low = Math.min(50, ...xs) * 0.9, high = Math.max(104, ...xs.map((v) => v * 1.04));
  const x = (v) => PAD.left + (width - PAD.left - PAD.right) * Math.log(v / low) / Math.log(high / low);
  const worths = curves.flatMap((curve) => curve.points.map((point) => worthOf(view, point)))
    .concat(unpruned(view) || []);
  let [bottom, top] = range(worths.flatMap((worth) => [worth.low, worth.high]));
  [bottom, top] = [Math.max(0, bottom - 2), Math.min(100, top + 2)];
  const inside = height - PAD.top - PAD.bottom;
  const y = (v) => PAD.top + inside * (top - v) / Math.max(1, top - bottom);
  const rows = linearTicks(bottom, top).map((at) => ({ at, text: `${at} %` }));
  return { x, y, rows, low, high, width, height };
}
