// Groups of merged patches: one colour each, and a dot on the token that holds it.
import { isDark } from "./base.js";
import { contour, place } from "./patches.js";

export const groupSizes = (view, held) => {
  const sizes = new Int32Array(view.tokens);
  for (const holder of held) if (holder >= 0) sizes[holder] += 1;
  return sizes;
};

// A colour for the token that holds each group: hues of groups counted one by one lie far apart.
export function groupColours(view, sizes) {
  let number = 0;
  return Array.from(sizes, (size) => size > 1
    ? `hsl(${Math.round(number++ * 137.508 + 20) % 360} 70% ${isDark(view) ? 60 : 48}%)` : "#ffffff");
}

export function dot(ctx, box, style, share = 0.16) {
  const [x, y, w, h] = box;
  ctx.beginPath();
  ctx.arc(x + w / 2, y + h / 2, Math.max(2, share * Math.min(w, h)), 0, 2 * Math.PI);
  ctx.fillStyle = style;
  ctx.fill();
  ctx.lineWidth = 1;
  ctx.strokeStyle = "#111827";
  ctx.stroke();
}

// `held`: for each token the one that holds it, -1 = lost.
export function paintGroups(view, ctx, held, scale) {
  const sizes = groupSizes(view, held), colours = groupColours(view, sizes);
  for (let token = 0; token < view.tokens; token++) {
    const holder = held[token];
    if (view.cells[token] < 0 || holder < 0 || sizes[holder] < 2) continue;
    ctx.globalAlpha = 0.5;
    ctx.fillStyle = colours[holder];
    ctx.fillRect(...place(view, view.cells[token], scale));
  }
  ctx.globalAlpha = 1;
  const cellHolder = Int32Array.from(view.cellToken, (token) => (token < 0 ? 0 : held[token] + 1));
  contour(view, ctx, scale, cellHolder);
  for (let token = 0; token < view.tokens; token++) {
    if (view.cells[token] >= 0 && held[token] === token) {
      dot(ctx, place(view, view.cells[token], scale), "#ffffff");
    }
  }
}
