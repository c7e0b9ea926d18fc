// Sortable tables. A column has a title, the value it sorts by, and (unless the value is the text) its text.

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function compareValues(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b));
}

// Cases without a value stay at the end in both directions.
function sortRows(rows, column, direction) {
  return [...rows].sort((first, second) => {
    const a = column.value(first), b = column.value(second);
    return a === null || b === null ? compareValues(a, b) : direction * compareValues(a, b);
  });
}

function makeTable(table, columns, rowClass) {
  let rows = [], sortedBy = null, direction = 1;
  const head = table.createTHead().insertRow();
  const body = table.createTBody();

  columns.forEach((column) => {
    const cell = element("th", "", column.number ? "number" : "");
    const button = element("button", column.title);
    button.type = "button";
    button.addEventListener("click", () => {
      direction = sortedBy === column ? -direction : 1;
      sortedBy = column;
      draw();
    });
    cell.scope = "col";
    cell.append(button);
    head.append(cell);
  });

  function draw() {
    columns.forEach((column, i) => {
      const state = direction > 0 ? "ascending" : "descending";
      head.cells[i].setAttribute("aria-sort", column === sortedBy ? state : "none");
    });
    const shown = sortedBy ? sortRows(rows, sortedBy, direction) : rows;
    body.replaceChildren(...shown.map((row) => drawRow(columns, row, rowClass(row))));
  }

  return (newRows) => { rows = newRows; draw(); };
}

function drawRow(columns, row, className) {
  const line = element("tr", "", className);
  columns.forEach((column) => {
    const text = column.text ? column.text(row) : String(column.value(row) ?? DASH);
    const cell = element("td", text, column.number ? "number" : column.long ? "long" : "");
    if (column.interval) cell.append(element("small", column.interval(row)));
    line.append(cell);
  });
  return line;
}
