// Thumbnails and the questions of the one chosen; a choice fires "pick".
const box = element.querySelector(".pv-gallery");
const linked = new URLSearchParams(location.search).get("example");
const names = (props.value || []).map((example) => example.stem);
let chosen = linked === null ? 0 : names.indexOf(linked);
let asked = 0;

function made(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text) node.textContent = text;
  return node;
}

function send(question) {
  asked = question;
  draw();
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
      send(0);
      box.querySelectorAll(".pv-thumb")[index].focus();
    });
    row.append(button);
  });
  const questions = made("div", "pv-questions");
  questions.setAttribute("role", "group");
  questions.setAttribute("aria-label", "Questions for this example");
  (examples[chosen]?.questions || []).forEach((text, index) => {
    const button = made("button", "pv-question", text);
    button.type = "button";
    button.title = examples[chosen].notes?.[index] || "";
    button.addEventListener("click", () => {
      send(index);
      box.querySelectorAll(".pv-question")[index].focus();
    });
    questions.append(button);
  });
  const note = examples[chosen]?.notes?.[asked];
  if (note) questions.append(made("p", "pv-gallerytip", note));
  box.replaceChildren(row, questions);
}

// A picture of the visitor's own is none of the examples.
window.addEventListener("pruneviz:own", () => {
  chosen = -1;
  draw();
});
draw();
watch("value", draw);
