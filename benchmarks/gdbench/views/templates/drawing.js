// What every page does with its data and its charts.

// Columns of the data are lists of values, or of positions in a list of distinct values.
function readTable(columns) {
  const names = Object.keys(columns);
  const lists = names.map((name) => {
    const { levels, codes } = columns[name];
    return levels ? codes.map((code) => levels[code]) : columns[name];
  });
  return (lists[0] ?? []).map((_, i) => Object.fromEntries(names.map((name, j) => [name, lists[j][i]])));
}

// The element has the size and Plotly follows it: a height in the layout is lost when Plotly resizes.
function drawChart(id, figure) {
  const chart = document.getElementById(id);
  chart.style.minWidth = `${figure.minWidth}px`;
  chart.style.height = `${figure.height}px`;
  const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] };
  window.Plotly.react(chart, figure.data, { autosize: true, ...figure.layout }, config);
}

function explainMissingCharts(error) {
  document.querySelectorAll("[data-charts-note]").forEach((note) => {
    note.textContent = `The chart cannot be drawn: ${error.message}. The tables below hold the same numbers.`;
    note.hidden = false;
  });
}
