// Some models see the picture more than once (LLaVA-NeXT: whole, and in tiles). Their tokens lie
// on several grids over the same picture, and some on none.
import { sheet } from "./layers.js";
import { refresh } from "./main.js";
import { buttons, geometry, press, unpack } from "../shared/base.js";

export function adoptParts(view, data) {
  view.parts = (data.parts || []).map((part) => ({ ...part, colours: data.colours }));
  const group = view.$(".pv-parts");
  buttons(group, view.parts.map((part) => sentenceCase(part.title)), 0, (index) => {
    const { rows, columns, seen } = view.parts[index];
    Object.assign(view, { rows, columns, seen, cursor: null, pinned: false },
      geometry(view.parts[index]));
    press(group, index);
    refresh(view);
    sheet(view);
  });
  view.$(".pv-partnote").textContent = partsNote(view);
}

const sentenceCase = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function partsNote(view) {
  if (view.parts.length < 2) return "";
  const counts = view.parts.map((part) => unpack.i4(part.cells).filter((cell) => cell >= 0).length);
  const rest = view.tokens - counts.reduce((sum, count) => sum + count, 0);
  const shares = view.parts.map((part, index) => `${counts[index]} show the ${part.title}`);
  if (rest) shares.push(`${rest} end a row and have no place`);
  return `The model sees the picture more than once: of ${view.tokens} visual tokens ${shares.join(", ")}.`;
}
