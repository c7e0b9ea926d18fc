// Figures for Plotly from the cases shown: one per variant and batch size. Nothing here touches the page.

// Stands for the fastest peer where one failed.
const LEAD_UNKNOWN = "lead unknown";

const CELL_HEIGHT = 58, CELL_WIDTH = 66, LABEL_WIDTH = 96;

// Plotly reads some HTML in its texts; names are plain text.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const label = (variant) => (isPeer(variant) ? `${plain(variant)} (peer)` : plain(variant));

const different = (values) => [...new Set(values)];
const batchSizes = (cases) => different(cases.map((row) => row.batch_size)).sort((a, b) => a - b);
const measured = (cases) => cases.filter((row) => row.status === "measured");
const fractionOfLimit = (row) => (row.limit_seconds === null || row.seconds === null ? null : row.limit_seconds / row.seconds);
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
  if (row.speedup_vs_best_peer !== null && row.best_peer !== row.variant) {
    lines.push(`${formatSpeed(row.speedup_vs_best_peer)} the speed of the fastest peer, ${plain(row.best_peer)}`);
  } else if (row.best_peer === LEAD_UNKNOWN) {
    lines.push(`${LEAD_UNKNOWN}: a peer failed here`);
  }
  if (row.limit_seconds !== null) lines.push(`${formatShare(fractionOfLimit(row))} of the limit`);
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
      yaxis: { ...numbered(variants.map(label)), autorange: "reversed" },
      shapes: [...gapShapes(grid, colours), ...bestShape(grid, fastest(cases), colours), ...peerShapes(variants, colours)],
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

// A line between ours and the peers, which stand at the end.
function peerShapes(variants, colours) {
  const first = variants.findIndex(isPeer);
  if (first < 1) return [];
  return [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: first - 0.5, y1: first - 0.5, line: { color: colours.soft, width: 2 }, name: "peers" }];
}

const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "x", "star", "cross", "triangle-down"];

function linesFigure(cases, variants, colours) {
  const { axis, ...layout } = baseLayout(colours);
  const shown = measured(cases), sizes = batchSizes(cases), n = cases[0].n_rows;
  const line = (variant, i) => {
    const rows = shown.filter((row) => row.variant === variant).sort((a, b) => a.batch_size - b.batch_size);
    const color = colours.variants.get(variant);
    return {
      type: "scatter",
      mode: "lines+markers",
      name: label(variant),
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
      line: { color, width: isPeer(variant) ? 1.5 : 2, dash: isPeer(variant) ? "dash" : "solid" },
      marker: { color, size: 7, symbol: SYMBOLS[i % SYMBOLS.length] },
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

// Points under the machine's roofs: peak of matrix products, and bandwidth of updates in each level.
function rooflineFigure(cases, variants, limits, colours) {
  const { axis, ...layout } = baseLayout(colours);
  const shown = measured(cases), dtype = cases[0].dtype;
  const intensity = (row) => row.flops / row.bytes;
  const points = (variant, i) => {
    const rows = shown.filter((row) => row.variant === variant).sort((a, b) => a.batch_size - b.batch_size);
    return {
      type: "scatter",
      mode: "markers",
      name: label(variant),
      x: rows.map(intensity),
      y: rows.map((row) => row.flops / row.seconds),
      marker: { color: colours.variants.get(variant), size: 8, symbol: SYMBOLS[i % SYMBOLS.length] },
      hovertext: rows.map((row) => `${describe(row)}<br>${formatFlops(row.flops / row.seconds)}`),
      hoverinfo: "text",
    };
  };
  const columns = batchSizes(shown).map((size) => shown.find((row) => row.batch_size === size));
  const bars = {
    type: "scatter",
    mode: "markers",
    name: "limit",
    x: columns.map(intensity),
    y: columns.map((row) => row.flops / row.limit_seconds),
    marker: { color: colours.bad, size: 16, symbol: "line-ew", line: { color: colours.bad, width: 2.5 } },
    hovertext: columns.map((row) => `limit at batch size ${formatCount(row.batch_size)}: ${formatFlops(row.flops / row.limit_seconds)}`),
    hoverinfo: "text",
  };
  const xs = columns.map(intensity);
  const low = Math.min(...xs) / 2, high = Math.max(...xs) * 2;
  const roof = ([level, speed]) => roofLine(level, speed, limits.flops_per_second[dtype], [low, high], colours);
  const roofs = Object.entries(limits.update_bytes_per_second).map(roof);
  return {
    data: [...roofs, bars, ...variants.map(points).filter((trace) => trace.x.length)],
    layout: {
      ...layout,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { ...axis, type: "log", dtick: "D2", title: { text: "arithmetic intensity (FLOP per byte that must move)" } },
      yaxis: { ...axis, type: "log", dtick: "D2", tickformat: "~s", title: { text: "performance (FLOP/s)" } },
    },
    minWidth: 320,
    height: 460,
  };
}

// Up the slope of a bandwidth to the peak, then level.
function roofLine(level, speed, peak, [low, high], colours) {
  const ridge = Math.min(Math.max(peak / speed, low), high);
  const x = [low, ridge, high];
  return {
    type: "scatter",
    mode: "lines+text",
    x,
    y: x.map((intensity) => Math.min(peak, intensity * speed)),
    text: [level, "", ""],
    textposition: "bottom right",
    textfont: { color: colours.soft, size: 11 },
    line: { color: colours.soft, width: 1 },
    hoverinfo: "skip",
    showlegend: false,
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
