// The colour bar of a score: a mark where kept and dropped meet, and a word on either side. Where
// there is no such line, the reason, as one more item of the legend.
import { DROPPED, KEPT, node, percentiles } from "../shared/base.js";

export function scoreBar(view, bar, stage) {
  const { kept, why } = stage.threshold, strip = bar.querySelector(".pv-strip");
  if (!kept) return why ? [bar, node("span", "pv-note pv-noline", why)] : [bar];
  const at = 100 * meeting(stage), mark = node("span", "pv-mark-cut");
  mark.style.left = `${at}%`;
  strip.append(mark);
  const words = node("span", "pv-sides"), here = view.stages.length > 1 ? " here" : "";
  const names = [`dropped${here}`, `kept${here}`];
  if (kept === "below") names.reverse();
  // Each word in the middle of its side, but with room to be read.
  const places = [at / 2, (100 + at) / 2];
  names.forEach((name, side) => {
    const word = node("span", name.startsWith("kept") ? "pv-sidekept" : "pv-sidedropped", name);
    word.style.left = `${Math.min(88, Math.max(12, places[side]))}%`;
    words.append(word);
  });
  bar.prepend(words);
  bar.dataset.cut = at.toFixed(1);
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", `Scores by rank: ${kept === "above" ? "higher" : "lower"} ones are kept${here}.`);
  return [bar];
}

// Where on a scale by rank the line lies: in the middle between the last on either side.
function meeting(stage) {
  const unit = percentiles(stage.scores), ends = { [KEPT]: [1, 0], [DROPPED]: [1, 0] };
  unit.forEach((value, token) => {
    const end = ends[stage.state[token]];
    if (!end || !Number.isFinite(value)) return;
    end[0] = Math.min(end[0], value);
    end[1] = Math.max(end[1], value);
  });
  const [high, low] = stage.threshold.kept === "above" ? [KEPT, DROPPED] : [DROPPED, KEPT];
  return (ends[high][0] + ends[low][1]) / 2;
}
