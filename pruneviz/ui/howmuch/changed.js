// The questions that a method lost or won at a budget; a click fires "reask".
import { fill, makeView, node } from "../shared/base.js";

function lines(item) {
  const parts = [node("b", "", item.question)];
  const row = (name, text, kind) => {
    const made = node("span", kind);
    made.append(node("i", "", `${name} `), text);
    return made;
  };
  parts.push(row("Unpruned:", item.unpruned), row("Pruned:", item.pruned));
  if (item.truth) parts.push(row("Right:", item.truth));
  if (item.kind) parts.push(node("small", "", item.kind));
  const text = node("span", "pv-changedtext");
  text.append(...parts);
  return text;
}

function button(view, item) {
  const made = node("button", "pv-changeditem");
  made.type = "button";
  made.title = "Ask this in the Ask tab, with this method and budget";
  if (item.thumb) {
    const image = node("img", "");
    image.src = item.thumb;
    image.alt = "";
    made.append(image);
  }
  made.append(lines(item));
  made.addEventListener("click", () => view.given.trigger("reask",
    { method: view.given.props.value.method, budget: view.given.props.value.budget, number: item.number }));
  return made;
}

function list(view, one) {
  const box = node("div", "pv-changedlist");
  const head = node("h3", "", one.title), items = node("div", "pv-changeditems");
  items.append(...one.items.map((item) => button(view, item)));
  box.append(head, node("p", "pv-note", one.note), items);
  return box;
}

function draw(view) {
  const value = view.given.props.value, lists = (value && value.lists) || [];
  view.root.hidden = !lists.length;
  if (!lists.length) {
    view.root.replaceChildren();
    view.title = "";
    return;
  }
  const head = node("h2", "pv-h", `What changes: ${value.title}`);
  head.setAttribute("role", "status");
  fill(view.root, head, node("p", "pv-note", "Click a question to ask it in the Ask tab, with this method and budget."),
    ...lists.map((one) => list(view, one)));
  if (value.title !== view.title) view.root.scrollIntoView({ block: "nearest" });
  view.title = value.title;
}

export function mount(given) {
  const view = makeView(given, ".pv-changed", { title: "" });
  given.watch("value", () => draw(view));
  draw(view);
}
