// Tables are sorted by the buttons in their heads; the list of materials is filtered by words and by
// column, its columns are chosen, and the rows shown are saved.
(() => {
  "use strict";
  const order = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.order ?? cell.textContent.trim();
    const number = Number(text);
    if (text === "" || text === "-") return null;
    return Number.isNaN(number) ? text.toLowerCase() : number;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sort = (table, column) => {
    const head = table.tHead.rows[0].cells[column];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [order(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);  // what is missing is last
      return down ? compare(b, a) : compare(a, b);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    table.tHead.addEventListener("click", (event) => {
      const button = event.target.closest("thead tr:first-child button");
      if (button) sort(table, button.closest("th").cellIndex);
    });
  }

  const filter = document.getElementById("filter");
  if (!filter) return;
  const table = document.querySelector("main table");
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.replace(/[\u2191\u2193\u2195]/g, "").trim());
  const rows = [...table.tBodies[0].rows];
  const count = document.querySelector("output[for=filter]");

  // A condition of a column of numbers: >0.1, <=2, 0.1 to 2, 0.1..2, or the number itself.
  const condition = (text) => {
    const range = text.match(/^(-?[\d.]+(?:e[-+]?\d+)?)\s*(?:to|\.\.|\u2013)\s*(-?[\d.]+(?:e[-+]?\d+)?)$/i);
    if (range) return (value) => value >= Number(range[1]) && value <= Number(range[2]);
    const bound = text.match(/^(>=|<=|>|<|=|\u2265|\u2264)?\s*(-?[\d.]+(?:e[-+]?\d+)?)$/i);
    if (!bound || Number.isNaN(Number(bound[2]))) return null;
    const limit = Number(bound[2]);
    return {
      ">": (value) => value > limit, "<": (value) => value < limit,
      ">=": (value) => value >= limit, "\u2265": (value) => value >= limit,
      "<=": (value) => value <= limit, "\u2264": (value) => value <= limit,
    }[bound[1]] ?? ((value) => Number(value.toPrecision(3)) === limit || value === limit);
  };
  const line = document.createElement("tr");
  line.className = "column-filters";
  const inputs = heads.map((head, column) => {
    const cell = document.createElement("td");
    const input = document.createElement("input");
    const numeric = head.classList.contains("number");
    input.type = "search";
    input.setAttribute("aria-label", `Filter by ${names[column]}`);
    input.placeholder = numeric ? ">, <, a to b" : "contains";
    input.autocomplete = "off";
    cell.append(input);
    line.append(cell);
    return input;
  });
  table.tHead.append(line);
  const fits = (row, column) => {
    const input = inputs[column], text = input.value.trim();
    if (!text) return true;
    if (!heads[column].classList.contains("number")) {
      return row.cells[column].textContent.toLowerCase().includes(text.toLowerCase());
    }
    const test = condition(text), value = order(row, column);
    input.setAttribute("aria-invalid", String(!test));
    return !test || (typeof value === "number" && test(value));
  };
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const input of inputs) input.removeAttribute("aria-invalid");
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word))
        || !inputs.map((_, column) => fits(row, column)).every(Boolean);
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length}`;
  };
  filter.addEventListener("input", show);
  line.addEventListener("input", show);
  show();

  const chooser = document.querySelector("details.columns");
  const optional = chooser.dataset.optional.split("|");
  const display = (column, visible) => {
    for (const row of [...table.tHead.rows, ...rows]) row.cells[column].hidden = !visible;
    if (!visible && inputs[column].value) {
      inputs[column].value = "";
      show();
    }
  };
  names.forEach((name, column) => {
    if (column === 0) return;
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.checked = !optional.includes(name);
    box.addEventListener("change", () => display(column, box.checked));
    label.append(box, ` ${name}`);
    chooser.lastElementChild.append(label);
    display(column, box.checked);
  });
  chooser.hidden = false;

  // A row as an object; a quantity with an interval has its ends beside it.
  const content = (row) => {
    const found = {};
    heads.forEach((head, column) => {
      const cell = row.cells[column], text = cell.textContent.trim();
      const value = head.classList.contains("number") ? order(row, column) : text;
      found[names[column]] = value === "-" ? null : value;
      if (cell.dataset.low !== undefined) found[`${names[column]}, low`] = Number(cell.dataset.low);
      if (cell.dataset.high !== undefined) found[`${names[column]}, high`] = Number(cell.dataset.high);
    });
    return found;
  };
  const csv = (found) => {
    const columns = [...new Set(found.flatMap(Object.keys))];
    const safe = (value) => {
      const text = String(value ?? "");
      const plain = typeof value === "string" && /^[=+@]/.test(text) ? `'${text}` : text;
      return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
    };
    return [columns, ...found.map((row) => columns.map((name) => row[name]))]
      .map((cells) => cells.map(safe).join(",")).join("\n") + "\n";
  };
  const buttons = document.querySelector(".save-rows");
  buttons.hidden = false;
  buttons.addEventListener("click", (event) => {
    const kind = event.target.dataset.rows;
    if (!kind) return;
    const found = [...table.tBodies[0].rows].filter((row) => !row.hidden).map(content);
    const text = kind === "csv" ? csv(found) : JSON.stringify(found, null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text]));
    link.download = `materials.${kind}`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
})();
