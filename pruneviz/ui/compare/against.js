// The line below the table: a press measures what matters, once for all methods.
const AGAINST = ".pv-against";

function drawAgainst() {
  const told = props.value && props.value.against;
  $(AGAINST).hidden = !told;
  if (!told) return;
  $(`${AGAINST} button`).hidden = !told.button;
  $(`${AGAINST} p`).textContent = told.note;
}

$(`${AGAINST} button`).addEventListener("click", () => trigger("matters", {}));
watch("value", drawAgainst);
drawAgainst();
