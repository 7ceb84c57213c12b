// Thumbnails and the questions of the one chosen; a choice fires "pick".
import { makeView, node } from "../shared/base.js";

function send(view, question) {
  view.asked = question;
  view.typed = false;
  draw(view);
  view.given.trigger("pick", { image: view.chosen, question });
}

function draw(view) {
  const examples = view.given.props.value || [];
  const row = node("div", "pv-thumbs");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "Example pictures");
  examples.forEach((example, index) => {
    const button = node("button", "pv-thumb");
    button.type = "button";
    button.setAttribute("aria-pressed", String(index === view.chosen));
    button.setAttribute("aria-label", `Example picture: ${example.name}`);
    const image = node("img");
    image.src = example.thumb;
    image.alt = "";
    button.append(image);
    button.addEventListener("click", () => {
      view.chosen = index;
      send(view, 0);
      view.root.querySelectorAll(".pv-thumb")[index].focus();
    });
    row.append(button);
  });
  const questions = node("div", "pv-questions");
  questions.setAttribute("role", "group");
  questions.setAttribute("aria-label", "Questions for this example");
  (examples[view.chosen]?.questions || []).forEach((text, index) => {
    const button = node("button", "pv-question", text);
    button.type = "button";
    button.title = examples[view.chosen].notes?.[index] || "";
    button.addEventListener("click", () => {
      send(view, index);
      view.root.querySelectorAll(".pv-question")[index].focus();
    });
    questions.append(button);
  });
  const note = examples[view.chosen]?.notes?.[view.asked];
  if (note) questions.append(node("p", "pv-gallerytip", note));
  view.root.replaceChildren(row, questions);
}

// A question of an example says nothing about a picture of the visitor's own. It is emptied as by
// hand: what a server answers later would take away what the visitor has typed since.
function forget(view) {
  const field = document.querySelector("#pv-question textarea");
  const known = (view.given.props.value || []).flatMap((example) => example.questions);
  if (view.typed || !field || !known.includes(field.value)) return;
  field.value = "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

export function mount(given) {
  const linked = new URLSearchParams(location.search).get("example");
  const names = (given.props.value || []).map((example) => example.stem);
  const first = linked === null ? 0 : names.indexOf(linked);
  const view = makeView(given, ".pv-gallery", { chosen: first, asked: 0, typed: false });
  document.addEventListener("input", (event) => {
    if (event.target.closest?.("#pv-question")) view.typed = true;
  }, true);
  // A picture of the visitor's own is none of the examples.
  window.addEventListener("pruneviz:own", () => {
    view.chosen = -1;
    draw(view);
    forget(view);
  });
  draw(view);
  given.watch("value", () => draw(view));
}
