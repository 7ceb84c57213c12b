// What mounts each component of the page. One module names them all, so that all are there as soon
// as the first is, and are mounted in the order in which Gradio makes them.
import { mount as ask } from "./ask/main.js";
import { mount as live } from "./ask/live.js";
import { mount as compare } from "./compare/compare.js";
import { mount as changed } from "./howmuch/changed.js";
import { mount as howmuch } from "./howmuch/curves.js";
import { mount as gallery } from "./inputs/gallery.js";
import { mount as tour } from "./shared/tour.js";
import { mount as sweep } from "./sweep/sweep.js";

const MOUNTS = { ask, changed, compare, gallery, howmuch, live, sweep, tour };

// `given` is what gr.HTML hands to a script: element, props, trigger, server, watch.
export function mount(name, given) {
  MOUNTS[name](given);
}
