// Narrows a table to the rows that hold what is typed. Without this script, and for long values, the form asks the server.
const FIRST_ROWS = 50;

for (const form of document.querySelectorAll("form[data-filters]")) {
  const name = form.dataset.filters;
  let bodies, frame;
  const read = () => {
    bodies = [...document.querySelectorAll(`#${name} tbody`)].map((body) => (
      { body, rows: [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() })) }
    ));
  };
  read();
  const status = document.querySelector(`[data-shown="${name}"]`);
  const input = form.querySelector("input[type=search]");
  const said = status.textContent;
  const narrow = () => {
    const query = input.value.trim().toLowerCase();
    const later = [];
    let [found, all] = [0, 0];
    for (const { body, rows } of bodies) {
      let [shown, changed] = [0, false];
      for (const { row, text } of rows) {
        const good = text.includes(query);
        if (good) shown += 1;
        if (row.hidden === good) { row.hidden = !good; changed = true; }
      }
      // What was in sight is laid out whole. So what grows below the first screen goes for a frame, and comes back as new.
      if (changed && found > FIRST_ROWS) later.push({ body, shown });
      body.hidden = !shown || (changed && found > FIRST_ROWS);
      body.style.setProperty("--rows", shown);
      found += shown;
      all += rows.length;
    }
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => { for (const { body, shown } of later) body.hidden = !shown; });
    });
    status.textContent = query === input.defaultValue.trim().toLowerCase() ? said
      : `${found} of these ${all} settings; Enter looks through all, and long values to their end`;
  };
  input.addEventListener("input", narrow);
  document.addEventListener("refreshed", () => { read(); narrow(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, textarea, select")) { event.preventDefault(); input.focus(); }
  });
}
