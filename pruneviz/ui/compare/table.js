// The table of all methods: a press on a column's name sorts by it, another turns the order.
import { fill, node, svg } from "../shared/base.js";

export const firstOrder = () => ({ by: 0, falling: true });

function sorted(view, panels) {
  const sign = view.table.falling ? -1 : 1;
  const value = (panel) => (panel.ready ? panel.told[view.table.by].value : null);
  // What has no number stays last, whichever end is up.
  return [...panels].sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x - y);
  });
}

function sortBy(view, index) {
  const falling = view.measures[index].best === "high";
  view.table.falling = index === view.table.by ? !view.table.falling : falling;
  view.table.by = index;
  drawTable(view);
  view.$(`.pv-methods thead [data-column="${index}"]`).focus();
}

function headCell(view, column, index) {
  const cell = node("th"), button = node("button", "pv-sort", column.title);
  cell.scope = "col";
  button.type = "button";
  button.dataset.column = index;
  button.title = column.note;
  button.addEventListener("click", () => sortBy(view, index));
  const chosen = index === view.table.by;
  cell.setAttribute("aria-sort", chosen ? (view.table.falling ? "descending" : "ascending") : "none");
  const arrow = node("span", "pv-arrow", chosen ? (view.table.falling ? "▼" : "▲") : "↕");
  arrow.setAttribute("aria-hidden", "true");
  button.append(arrow);
  cell.append(button);
  return cell;
}

// A method's own mark in its own colour, as in Sweep.
export function look(panel) {
  const drawn = svg("svg", { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true",
    class: "pv-look", style: `--light:${panel.look.light};--dark:${panel.look.dark}` });
  drawn.append(svg("path", { d: panel.look.path }));
  return drawn;
}

function tableRow(view, panel) {
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

export function drawTable(view) {
  const head = node("tr"), answer = node("th", "", "Answer"), name = node("th", "", "Method");
  name.scope = answer.scope = "col";
  head.append(name, answer, ...view.measures.map((column, index) => headCell(view, column, index)));
  fill(view.$(".pv-methods thead"), head);
  fill(view.$(".pv-methods tbody"), ...sorted(view, view.panels).map((panel) => tableRow(view, panel)));
}
