// Figures for Plotly from the cases shown: one per variant and batch size. Nothing here touches the page.

const CELL_HEIGHT = 58, CELL_WIDTH = 66, LABEL_WIDTH = 96;

// Plotly reads some HTML in its texts; names are plain text.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const different = (values) => [...new Set(values)];
const batchSizes = (cases) => different(cases.map((row) => row.batch_size)).sort((a, b) => a - b);
const measured = (cases) => cases.filter((row) => row.status === "measured");
const fastest = (cases) => measured(cases).reduce((a, b) => (a && a.seconds_per_row <= b.seconds_per_row ? a : b), null);

function baseLayout(colours) {
  const axis = { gridcolor: colours.line, linecolor: colours.line, zeroline: false, fixedrange: true, automargin: true };
  return {
    axis,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colours.ink },
    hoverlabel: { align: "left" },
    margin: { l: 10, r: 30, t: 10, b: 10 },
  };
}

function describe(row) {
  const lines = [`<b>${plain(row.variant)}</b>, batch size ${formatCount(row.batch_size)} (${row.descent})`];
  if (row.status !== "measured") return [...lines, plain(`${row.status}: ${row.reason}`)].join("<br>");
  const range = formatSecondsRange(row.seconds_per_row_low, row.seconds_per_row_high);
  lines.push(`${formatSeconds(row.seconds_per_row)} per row (${range})`);
  lines.push(`${formatSpeed(row.speedup_vs_reference)} the speed of the reference`);
  return lines.join("<br>");
}

function cellText(row, isFastest) {
  if (row?.status !== "measured") return row?.status ?? "";
  const time = formatSeconds(row.seconds_per_row);
  return `${isFastest ? `<b>${time}</b>` : time}<br>${formatSpeed(row.speedup_vs_reference)}`;
}

function heatmapFigure(cases, variants, colours) {
  const sizes = batchSizes(cases), n = cases[0].n_rows;
  const grid = variants.map((variant) =>
    sizes.map((size) => cases.find((row) => row.variant === variant && row.batch_size === size)));
  const winners = new Set(sizes.map((size) => fastest(cases.filter((row) => row.batch_size === size))));
  const map = (write) => grid.map((line) => line.map(write));
  const { axis, ...layout } = baseLayout(colours);
  // Cells are numbered, because category axes take a number for a name where a name looks like it.
  const numbered = (labels) => ({ ...axis, showgrid: false, ticks: "", tickangle: 0, tickvals: [...labels.keys()], ticktext: labels });
  return {
    data: [{
      type: "heatmap",
      z: map((row) => (row?.status === "measured" ? Math.log10(row.seconds_per_row) : null)),
      text: map((row) => (row?.status === "measured" ? cellText(row, winners.has(row)) : "")),
      hovertext: map((row) => (row ? describe(row) : "")),
      hoverinfo: "text",
      texttemplate: "%{text}",
      textfont: { size: 12, color: colours.ink },
      colorscale: [[0, colours.heatFast], [1, colours.heatSlow]],
      showscale: false,
      xgap: 3,
      ygap: 3,
    }],
    layout: {
      ...layout,
      xaxis: { ...numbered(sizes.map((size) => sizeLabel(size, n))), title: { text: "batch size" } },
      yaxis: { ...numbered(variants.map(plain)), autorange: "reversed" },
      shapes: [...gapShapes(grid, colours), ...bestShape(grid, fastest(cases), colours)],
      annotations: gapTexts(grid, colours),
    },
    minWidth: LABEL_WIDTH + sizes.length * CELL_WIDTH,
    height: variants.length * CELL_HEIGHT + 70,
  };
}

const sizeLabel = (size, n) => (size === n ? `n = ${formatCount(size)}` : formatCount(size));

function positions(grid, wanted) {
  return grid.flatMap((line, y) => line.flatMap((row, x) => (wanted(row) ? [{ row, x, y }] : [])));
}

const box = (x, y, margin) => ({ x0: x - 0.5 + margin, x1: x + 0.5 - margin, y0: y - 0.5 + margin, y1: y + 0.5 - margin });

// Grey for a cell without a time; crossed out where the variant failed.
function gapShapes(grid, colours) {
  return positions(grid, (row) => row && row.status !== "measured").flatMap(({ row, x, y }) => {
    const cell = box(x, y, 0.03), line = { color: colours.card, width: 2 };
    const back = { type: "rect", ...cell, fillcolor: colours.gone, line: { width: 0 }, name: row.status };
    if (row.status !== "failed") return [back];
    return [back, { type: "line", ...cell, line }, { type: "line", ...cell, y0: cell.y1, y1: cell.y0, line }];
  });
}

function gapTexts(grid, colours) {
  return positions(grid, (row) => row && row.status !== "measured").map(({ row, x, y }) => (
    { x, y, text: cellText(row), showarrow: false, font: { color: row.status === "failed" ? colours.bad : colours.soft } }));
}

function bestShape(grid, best, colours) {
  return positions(grid, (row) => row && row === best).map(({ x, y }) => (
    { type: "rect", ...box(x, y, 0.015), line: { color: colours.ink, width: 3 }, name: "best" }));
}

function linesFigure(cases, variants, colours) {
  const { axis, ...layout } = baseLayout(colours);
  const shown = measured(cases), sizes = batchSizes(cases), n = cases[0].n_rows;
  const symbols = ["circle", "square", "diamond", "triangle-up", "x", "star", "cross", "triangle-down"];
  const line = (variant, i) => {
    const rows = shown.filter((row) => row.variant === variant).sort((a, b) => a.batch_size - b.batch_size);
    const color = colours.series[i % colours.series.length];
    return {
      type: "scatter",
      mode: "lines+markers",
      name: plain(variant),
      x: rows.map((row) => row.batch_size),
      y: rows.map((row) => row.seconds_per_row),
      error_y: {
        type: "data",
        symmetric: false,
        array: rows.map((row) => row.seconds_per_row_high - row.seconds_per_row),
        arrayminus: rows.map((row) => row.seconds_per_row - row.seconds_per_row_low),
        thickness: 1.4,
        width: 4,
      },
      line: { color, width: 2 },
      marker: { color, size: 7, symbol: symbols[i % symbols.length] },
      hovertext: rows.map(describe),
      hoverinfo: "text",
    };
  };
  return {
    data: variants.map(line).filter((trace) => trace.x.length),
    layout: {
      ...layout,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { ...axis, type: "log", title: { text: "batch size" }, ...sizeTicks(sizes, n) },
      yaxis: { ...axis, type: "log", title: { text: "time per row" }, ...timeTicks(shown) },
    },
    minWidth: 320,
    height: 420,
  };
}

// Sizes too close to the next one on a logarithmic axis lose their label; the last, n, keeps it.
function sizeTicks(sizes, n) {
  const kept = sizes.filter((size, i) => i === sizes.length - 1 || sizes[i + 1] / size > 1.5);
  return { tickvals: kept, ticktext: kept.map((size) => sizeLabel(size, n)) };
}

// 1, 10, 100 µs; with 2 and 5 between them when the times span little.
function timeTicks(shown) {
  const low = Math.min(...shown.map((row) => row.seconds_per_row_low));
  const high = Math.max(...shown.map((row) => row.seconds_per_row_high));
  if (!(low > 0) || !Number.isFinite(high)) return {};
  const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  const digits = to - from > 3 ? [1] : [1, 2, 5];
  const values = Array.from({ length: to - from + 1 }, (_, i) => digits.map((digit) => digit * 10 ** (from + i))).flat();
  return { tickvals: values, ticktext: values.map(formatTick) };
}
