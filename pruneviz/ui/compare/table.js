// The table of all methods: a press on a column's name sorts by it, another turns the order.
const table = { by: 0, falling: true };

function sorted(panels) {
  const sign = table.falling ? -1 : 1;
  const value = (panel) => (panel.ready ? panel.told[table.by].value : null);
  // What has no number stays last, whichever end is up.
  return [...panels].sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x - y);
  });
}

function sortBy(index) {
  const falling = view.measures[index].best === "high";
  table.falling = index === table.by ? !table.falling : falling;
  table.by = index;
  drawTable();
  $(`.pv-methods thead [data-column="${index}"]`).focus();
}

function headCell(column, index) {
  const cell = node("th"), button = node("button", "pv-sort", column.title);
  cell.scope = "col";
  button.type = "button";
  button.dataset.column = index;
  button.title = column.note;
  button.addEventListener("click", () => sortBy(index));
  const chosen = index === table.by;
  cell.setAttribute("aria-sort", chosen ? (table.falling ? "descending" : "ascending") : "none");
  const arrow = node("span", "pv-arrow", chosen ? (table.falling ? "▼" : "▲") : "↕");
  arrow.setAttribute("aria-hidden", "true");
  button.append(arrow);
  cell.append(button);
  return cell;
}

const SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// A method's own mark in its own colour, as in Sweep.
function look(panel) {
  const drawn = svg("svg", { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true",
    class: "pv-look", style: `--light:${panel.look.light};--dark:${panel.look.dark}` });
  drawn.append(svg("path", { d: panel.look.path }));
  return drawn;
}

function tableRow(panel) {
  const line = node("tr"), title = node("th");
  title.scope = "row";
  title.append(look(panel), node("span", "", panel.title));
  line.append(title);
  if (!panel.ready) {
    const cell = node("td", panel.problem ? "pv-problem" : "pv-muted", panel.problem || "waiting …");
    cell.colSpan = view.measures.length + 1;
    line.append(cell);
    return line;
  }
  const said = node("td", panel.same ? "pv-holds" : "pv-fails");
  said.append(node("span", "", `${panel.same ? "=" : "≠"} ${panel.answer || "(empty answer)"}`));
  line.append(said, ...panel.told.map(({ text }) => node("td", "", text)));
  return line;
}

function drawTable() {
  const head = node("tr"), answer = node("th", "", "Answer"), name = node("th", "", "Method");
  name.scope = answer.scope = "col";
  head.append(name, answer, ...view.measures.map(headCell));
  fill($(".pv-methods thead"), head);
  fill($(".pv-methods tbody"), ...sorted(view.panels).map(tableRow));
}
