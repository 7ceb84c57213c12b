// The line below the table: a press measures what matters, once for all methods.
const AGAINST = ".pv-against";

export function drawAgainst(view) {
  const { value } = view.given.props, told = value && value.against;
  view.$(AGAINST).hidden = !told;
  if (!told) return;
  view.$(`${AGAINST} button`).hidden = !told.button;
  view.$(`${AGAINST} p`).textContent = told.note;
}

export function wireAgainst(view) {
  view.$(`${AGAINST} button`).addEventListener("click", () => view.given.trigger("matters", {}));
}
