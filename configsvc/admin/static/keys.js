// Moves between the values of a table of settings by arrow keys, or j and k. Without this script, Tab goes through them all.
const STEPS = { ArrowDown: [1, 0], j: [1, 0], ArrowUp: [-1, 0], k: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };

document.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  const field = event.target.closest("input, textarea, select");
  if (field && !(field.type === "search" && event.key === "ArrowDown")) return;
  const cell = event.target.closest(".settings td");
  // Elsewhere arrows scroll the page, as everywhere.
  if (!cell && !field && event.key !== "j") return;
  const rows = [...document.querySelectorAll(".settings tbody tr:not([hidden])")];
  const row = cell ? rows[rows.indexOf(cell.parentElement) + step[0]] : rows[0];
  const link = cell ? row?.cells[cell.cellIndex + step[1]]?.querySelector("a") : row?.querySelector("td a");
  if (!link) return;
  event.preventDefault();
  link.focus();
});
