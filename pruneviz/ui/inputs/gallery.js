// Thumbnails and the questions of the one chosen; a choice fires "pick".
const box = element.querySelector(".pv-gallery");
const linked = new URLSearchParams(location.search).get("example");
const names = (props.value || []).map((example) => example.stem);
let chosen = linked === null ? 0 : names.indexOf(linked);
let sent = performance.now();
const SETTLED = 4000; // milliseconds after which a change of the picture is the visitor's own

function made(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text) node.textContent = text;
  return node;
}

function send(question) {
  sent = performance.now();
  trigger("pick", { image: chosen, question });
}

function draw() {
  const examples = props.value || [];
  const row = made("div", "pv-thumbs");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "Example pictures");
  examples.forEach((example, index) => {
    const button = made("button", "pv-thumb");
    button.type = "button";
    button.setAttribute("aria-pressed", String(index === chosen));
    button.setAttribute("aria-label", `Example picture: ${example.name}`);
    const image = made("img", "");
    image.src = example.thumb;
    image.alt = "";
    button.append(image);
    button.addEventListener("click", () => {
      chosen = index;
      draw();
      box.querySelectorAll(".pv-thumb")[index].focus();
      send(0);
    });
    row.append(button);
  });
  const questions = made("div", "pv-questions");
  questions.setAttribute("role", "group");
  questions.setAttribute("aria-label", "Questions for this example");
  (examples[chosen]?.questions || []).forEach((text, index) => {
    const button = made("button", "pv-question", text);
    button.type = "button";
    const note = examples[chosen].notes?.[index];
    if (note) button.append(made("small", "", note));
    button.addEventListener("click", () => send(index));
    questions.append(button);
  });
  box.replaceChildren(made("p", "pv-galleryhead", "Examples"), row, questions);
}

// A picture of the visitor's own is none of the examples.
window.addEventListener("pruneviz:picture", (event) => {
  if (!(event.detail && event.detail.changed) || performance.now() - sent < SETTLED) return;
  chosen = -1;
  draw();
});
draw();
watch("value", draw);
