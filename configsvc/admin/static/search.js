// Narrows a table to the rows that hold what is typed. Without this script, and for long values, the form asks the server.
// Showing thousands of rows takes the browser longer than people type: the first ones are there in the next frame, the
// others follow.
const SHOWN_A_FRAME = 100;

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
    const found = bodies.map(({ body, rows }) => ({ body, rows, good: rows.map(({ text }) => text.includes(query)) }));
    const waiting = found.filter(({ body, rows, good }) => (
      body.hidden || rows.some(({ row }, index) => row.hidden === good[index])
    ));
    // Nothing is seen that may not belong there.
    for (const { body } of waiting) body.hidden = true;
    const all = found.flatMap(({ good }) => good);
    status.textContent = query === input.defaultValue.trim().toLowerCase() ? said
      : `${all.filter(Boolean).length} of these ${all.length} settings; Enter looks through all, and long values to their end`;
    const show = () => {
      for (let shown = 0; waiting.length && shown < SHOWN_A_FRAME;) {
        const { body, rows, good } = waiting.shift();
        rows.forEach(({ row }, index) => { row.hidden = !good[index]; });
        body.hidden = !good.includes(true);
        shown += good.filter(Boolean).length;
      }
      if (waiting.length) frame = requestAnimationFrame(show);
    };
    cancelAnimationFrame(frame);
    show();
  };
  input.addEventListener("input", narrow);
  document.addEventListener("refreshed", () => { read(); narrow(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, textarea, select")) { event.preventDefault(); input.focus(); }
  });
}
