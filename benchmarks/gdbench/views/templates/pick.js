// Draws the panels of an answer. Their texts and ends of axes come ready from gdbench.pick.views.panels.

const data = JSON.parse(document.getElementById("run-data").textContent);
const sizes = data.points.map((point) => point.batch_size);
const isPeer = () => false; // charts.js asks it for names of variants, which are not shown here
const AT_BOTTOM = 0.035; // of the height: crosses of what gave no number

const MARKS = [
  ["current", (colours) => ({ symbol: "square-open", size: 15, color: colours.ink, line: { width: 1.5 } })],
  ["full", (colours) => ({ symbol: "triangle-up-open", size: 16, color: colours.ink, line: { width: 1.5 } })],
  ["fastest", (colours) => ({ symbol: "circle-open", size: 19, color: colours.ink, line: { width: 1.5 } })],
  ["chosen", (colours) => ({ symbol: "diamond", size: 14, color: colours.chosen, line: { width: 1.5, color: colours.card } })],
];

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink", "soft", "line", "card", "steps", "times", "total", "chosen", "band"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// Plotly reads some HTML in its texts; reasons are plain text.
const hover = (lines) => lines.map((line, i) => (i ? plain(line) : `<b>${plain(line)}</b>`)).join("<br>");

// 1-2-5 ticks, or powers of ten where there are many.
function valueTicks([low, high], unit) {
  const steps = high > 1000 * low ? [1] : [1, 2, 5];
  const values = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    values.push(...steps.map((step) => step * 10 ** power).filter((value) => value >= low && value <= high));
  }
  return { tickvals: values, ticktext: values.map((value) => (unit === "s" ? formatTick(value) : formatCount(value))) };
}

// Labels that would run into one another are left out; both ends stay.
function widthTicks() {
  const last = sizes.at(-1), least = Math.max(1.9, (last / sizes[0]) ** (1 / 8)), kept = sizes.slice(0, 1);
  sizes.slice(1).forEach((size) => {
    if (size >= least * kept.at(-1) && (size === last || last >= least * size)) kept.push(size);
  });
  if (sizes.length > 1 && kept.at(-1) !== last) kept.push(last);
  return { tickvals: kept, ticktext: kept.map(formatCount) };
}

function estimatesTrace(panel, color, colours) {
  const rows = panel.estimates, guessed = (row) => panel.guessed.includes(row.size);
  return {
    type: "scatter", mode: "markers", name: "estimate",
    x: rows.map((row) => row.size), y: rows.map((row) => row.value),
    error_y: {
      type: "data", symmetric: false, thickness: 1.5, width: 0, color,
      array: rows.map((row) => Math.max(0, row.high - row.value)), arrayminus: rows.map((row) => Math.max(0, row.value - row.low)),
    },
    marker: {
      size: rows.map((row) => (guessed(row) ? 9 : 7)), symbol: rows.map((row) => (guessed(row) ? "triangle-down" : "circle")),
      color: rows.map((row) => (guessed(row) ? colours.card : color)), opacity: 1, line: { color, width: 1.5 },
    },
    hovertext: rows.map((row) => hover(row.text)), hoverinfo: "text",
  };
}

function lineTrace(panel, color) {
  return {
    type: "scatter", mode: "lines", name: "fit", opacity: 0.55, hoverinfo: "skip", line: { color, width: 2 },
    x: panel.line.map(([size]) => size), y: panel.line.map(([, value]) => value),
  };
}

function ownTrace(panel, color) {
  return {
    type: "scatter", mode: "markers", name: "runs of that batch size alone", hoverinfo: "skip",
    x: panel.own.map(([size]) => size), y: panel.own.map(([, value]) => value),
    marker: { color, size: 12, symbol: "circle-open", line: { width: 1 } },
  };
}

function lostTrace(panel, [low, high], colours) {
  return {
    type: "scatter", mode: "markers", name: "no number",
    x: panel.lost.map((row) => row.size), y: panel.lost.map(() => low * (high / low) ** AT_BOTTOM),
    marker: { color: colours.soft, size: 9, symbol: "x" }, hovertext: panel.lost.map((row) => hover(row.text)), hoverinfo: "text",
  };
}

const lostNames = (panel, colours) => panel.lost.map((row) => (
  { x: Math.log10(row.size), yref: "paper", y: 2 * AT_BOTTOM, yanchor: "bottom", textangle: -90, showarrow: false,
    text: plain(row.status), font: { size: 11, color: colours.soft } }));

// What is chosen, and what it is compared with: in the last panel, where the decision is made.
function markTraces(panel, colours) {
  const heights = new Map(panel.estimates.map((row) => [row.size, row.value]));
  return MARKS.flatMap(([field, look]) => data.points
    .filter((point) => point[field] && heights.has(point.batch_size))
    .map(({ batch_size: size }) => (
      { type: "scatter", mode: "markers", name: data.names[field], x: [size], y: [heights.get(size)], marker: look(colours), hoverinfo: "skip" })));
}

function shapes(panel, color, colours, last) {
  const across = { yref: "paper", y0: 0, y1: 1, layer: "below" };
  const chosen = data.points.filter((point) => point.chosen).map((point) => (
    { type: "line", name: "chosen", x0: point.batch_size, x1: point.batch_size, ...across, line: { color: colours.chosen, width: 1.5 } }));
  const tied = data.points.filter((point) => last && point.tied).map((point) => (
    { type: "rect", name: "tied", x0: point.stretch[0], x1: point.stretch[1], ...across, fillcolor: colours.band, line: { width: 0 } }));
  if (panel.mark === null) return [...tied, ...chosen];
  return [...tied, ...chosen, { type: "line", name: "mark", x0: panel.mark, x1: panel.mark, ...across, line: { color, width: 2, dash: "dot" } }];
}

function panelFigure(panel, colours, last) {
  const { axis, ...layout } = baseLayout(colours), color = colours[panel.key];
  const reach = panel.reach ?? [1, 10];
  const traces = [lineTrace(panel, color), ownTrace(panel, color), estimatesTrace(panel, color, colours), lostTrace(panel, reach, colours)];
  const empty = { xref: "paper", yref: "paper", x: 0.5, y: 0.6, showarrow: false, text: plain(panel.empty), font: { color: colours.soft, size: 14 } };
  return {
    data: [...traces, ...(last ? markTraces(panel, colours) : [])].filter((trace) => trace.x.length),
    layout: {
      ...layout,
      showlegend: false,
      hovermode: "closest",
      margin: { l: 10, r: 12, t: 8, b: 10 },
      xaxis: {
        ...axis, type: "log", title: { text: "batch size (rows)", standoff: 6 }, tickangle: 0, ...widthTicks(),
        range: [data.points[0].stretch[0], data.points.at(-1).stretch[1]].map(Math.log10),
      },
      yaxis: {
        ...axis, type: "log", title: { text: panel.label, standoff: 10 }, range: reach.map(Math.log10),
        ...(panel.reach ? valueTicks(reach, panel.unit) : { showticklabels: false, showgrid: false }),
      },
      shapes: shapes(panel, color, colours, last),
      annotations: [...lostNames(panel, colours), ...(panel.estimates.length ? [] : [empty])],
    },
    minWidth: 240,
    height: 330,
  };
}

// Which marks there are, in words: a legend would take the charts' room.
function showLegend() {
  const drawn = new Set(data.panels.at(-1).estimates.map((row) => row.size));
  const there = (field) => data.points.some((point) => point[field] && drawn.has(point.batch_size));
  const any = (field) => data.panels.some((panel) => panel[field].length);
  const entries = [
    [there("chosen"), `diamond and line: ${data.names.chosen}`],
    [there("fastest"), `circle: ${data.names.fastest}`],
    [there("tied"), "shaded: as good as the best"],
    [there("current"), `square: ${data.names.current}`],
    [there("full"), `upright triangle: ${data.names.full}`],
    [any("own"), "ring: runs of that batch size alone"],
    [any("guessed"), "hanging triangle: from the fit alone, never chosen"],
    [any("lost"), "cross: no number, with the reason in the table"],
  ];
  const text = entries.filter(([shown]) => shown).map(([, words]) => words).join("; ");
  const legend = document.getElementById("legend");
  legend.textContent = `Marks: ${text}.`;
  legend.hidden = !text;
}

function draw() {
  if (!window.Plotly) return;
  const colours = readColours();
  data.panels.forEach((panel, i) => drawChart(`chart-${panel.key}`, panelFigure(panel, colours, i === data.panels.length - 1)));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
if (sizes.length) {
  showLegend();
  loadPlotly().then(draw).catch(explainMissingCharts);
}
