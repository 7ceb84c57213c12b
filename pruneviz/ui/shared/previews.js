// What a method keeps at other budgets than the run's: counted in Python, looked up here.
import { KEPT, unpack } from "./base.js";

export const BEYOND = -1;

export function adoptPreviews(sent, tokens) {
  const masks = new Map(), size = Math.ceil(tokens / 8);
  if (sent.foreseen) {
    const all = unpack.u1(sent.foreseen.masks);
    sent.foreseen.counts.forEach((count, at) =>
      masks.set(count, all.subarray(at * size, (at + 1) * size)));
  }
  return { ...sent, masks, between: new Map() };
}

// Patches kept at a budget; undefined where Python was not asked yet.
export function countAt(previews, kind, percent) {
  return previews.counts[kind][percent - 1] ?? previews.between.get(`${kind} ${percent}`);
}

// Between whole percents Python is asked.
export async function learn(view, previews, kind, percent) {
  if (countAt(previews, kind, percent) !== undefined) return;
  const found = await view.given.server.kept_at({ ...previews.law, kind, percent })
    .catch(() => ({ count: BEYOND, mask: null }));
  if (found.mask) previews.masks.set(found.count, unpack.u1(found.mask));
  previews.between.set(`${kind} ${percent}`, found.count);
}

export const isIn = (mask, token) => mask[token >> 3] >> (7 - token % 8) & 1;

// All patches, those first that the method would keep longest: what follows from the numbers
// alone, then the run's ranking.
export function ranking(previews, order, count) {
  const mask = previews.masks.get(count);
  if (!mask) return order;
  const places = Array.from({ length: order.length }, (_, token) => token);
  return [...places.filter((token) => isIn(mask, token)), ...order];
}

// Keeps `left` more patches in the ranking's order; `barred` are never kept.
export function keepFirst(states, ranked, left, barred = new Set()) {
  for (const token of ranked) {
    if (left <= 0) break;
    if (states[token] === KEPT || barred.has(token)) continue;
    states[token] = KEPT;
    left -= 1;
  }
  return states;
}

export const asRan = (previews, count, kept) => previews.single && count === kept;

export function isExact(previews, count, kept) {
  return previews.masks.has(count) || asRan(previews, count, kept)
    || (previews.nested && count < kept);
}
