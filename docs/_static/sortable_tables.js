// Tables of the class "sortable" are sorted by a click on a head, or by Enter on it: by the first
// number of each cell, else by its text. Cells without a value are last.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const key = (row, column) => {
    const text = row.cells[column].textContent.trim();
    if (text === "" || text === "-") return null;
    const number = /^(?:below |above )?(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)/.exec(text);
    return number ? Number(number[1]) : text.toLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sort = (table, head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [key(row, head.cellIndex), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return down ? compare(b, a) : compare(a, b);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    if (!table.tHead) continue;
    for (const head of table.tHead.rows[0].cells) {
      head.tabIndex = 0;
      head.style.cursor = "pointer";
      head.addEventListener("click", () => sort(table, head));
      head.addEventListener("keydown", (event) => {
        if (event.key === "Enter") sort(table, head);
      });
    }
  }
});
