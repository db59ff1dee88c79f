// Narrows a table to the rows that hold what is typed. Without this script, and for long values, the form asks the server.
for (const form of document.querySelectorAll("form[data-filters]")) {
  const name = form.dataset.filters;
  let rows, texts;
  const read = () => {
    rows = [...document.querySelectorAll(`#${name} tbody tr`)];
    texts = rows.map((row) => row.textContent.toLowerCase());
  };
  read();
  const status = document.querySelector(`[data-shown="${name}"]`);
  const input = form.querySelector("input[type=search]");
  const said = status.textContent;
  const narrow = () => {
    const query = input.value.trim().toLowerCase();
    let found = 0;
    rows.forEach((row, index) => {
      row.hidden = !texts[index].includes(query);
      if (!row.hidden) found += 1;
    });
    status.textContent = query === input.defaultValue.trim().toLowerCase() ? said
      : `${found} of these ${rows.length} settings; Enter looks through all, and long values to their end`;
  };
  input.addEventListener("input", narrow);
  document.addEventListener("refreshed", () => { read(); narrow(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, textarea, select")) { event.preventDefault(); input.focus(); }
  });
}
