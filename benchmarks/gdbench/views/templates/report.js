// Reads the run's data, and redraws charts and tables whenever a filter changes.

const FILTERS = ["network", "dataset", "task", "dtype", "threads"];
const data = JSON.parse(document.getElementById("run-data").textContent);
const summary = readTable(data.summary);
const certificates = readTable(data.certificates);
const isPeer = (variant) => data.peers.includes(variant);
const select = (name) => document.getElementById(`filter-${name}`);

const showSummary = makeTable(document.getElementById("table-summary"), [
  { title: "variant", value: (row) => row.variant },
  { title: "batch size", number: true, value: (row) => row.batch_size, text: (row) => formatCount(row.batch_size) },
  { title: "descent", value: (row) => row.descent },
  { title: "time per call", number: true, value: (row) => row.seconds, text: (row) => formatSeconds(row.seconds),
    interval: (row) => formatSecondsRange(row.seconds_low, row.seconds_high) },
  { title: "time per row", number: true, value: (row) => row.seconds_per_row, text: (row) => formatSeconds(row.seconds_per_row) },
  { title: "rows per second", number: true, value: (row) => row.rows_per_second, text: (row) => formatRate(row.rows_per_second) },
  { title: "speed vs reference", number: true, value: (row) => row.speedup_vs_reference,
    text: (row) => formatSpeed(row.speedup_vs_reference),
    interval: (row) => (row.variant === "reference" ? "" : formatSpeedRange(row.speedup_low, row.speedup_high)) },
  { title: "speed vs best peer", number: true, value: (row) => row.speedup_vs_best_peer,
    text: (row) => (row.status === "measured" && row.best_peer === LEAD_UNKNOWN ? LEAD_UNKNOWN : formatSpeed(row.speedup_vs_best_peer)),
    interval: (row) => formatSpeedRange(row.speedup_vs_best_peer_low, row.speedup_vs_best_peer_high) },
  { title: "of the limit", number: true, value: fractionOfLimit, text: (row) => formatShare(fractionOfLimit(row)) },
  { title: "blocks", number: true, value: (row) => row.blocks },
  { title: "status", value: (row) => row.status, interval: (row) => row.reason, long: true },
], (row) => (row.status === "failed" ? "failed" : row === fastest(shownCases()) ? "best" : ""));

const showCertificates = makeTable(document.getElementById("table-certificates"), [
  { title: "certified", value: (row) => (row.certified ? "yes" : "no") },
  { title: "variant", value: (row) => row.variant },
  { title: "network", value: (row) => `${row.network} on ${row.dataset}` },
  { title: "dtype", value: (row) => row.dtype },
  { title: "worst error", number: true, value: (row) => row.max_error ?? Infinity, text: (row) => formatError(row.max_error) },
  { title: "tolerance", number: true, value: (row) => row.tolerance, text: (row) => formatError(row.tolerance) },
  { title: "where", value: (row) => row.where, long: true },
], (row) => (row.certified ? "" : "failed"));

// Each filter offers what the ones before it leave, and keeps its choice where it can.
function updateFilters() {
  FILTERS.forEach((name, i) => {
    const rows = matching(summary, FILTERS.slice(0, i));
    const values = different(rows.map((row) => String(row[name])));
    const wanted = select(name).value || data.start[name];
    const kept = values.includes(wanted) ? wanted : values[0];
    select(name).replaceChildren(...values.map((value) => new Option(value, value)));
    if (values.length) select(name).value = kept;
    select(name).parentElement.hidden = values.length < 2 && ["dataset", "threads"].includes(name);
  });
}

const matching = (rows, names) => rows.filter((row) => names.every((name) => String(row[name]) === select(name).value));
const shownCases = () => matching(summary, FILTERS);

function describeSelection(cases) {
  const { network, sizes, dataset, n_rows: n } = cases[0];
  return `${sizes || network} on ${dataset}, ${formatCount(n)} rows. ${data.about[network] ?? ""}`;
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: of("ink"), soft: of("soft"), line: of("line"), card: of("card"), bad: of("bad"), gone: of("gone"),
    heatSlow: of("heat-slow"), heatFast: of("heat-fast"),
    variants: variantColours(of("series").split(" "), of("peers").split(" ")),
  };
}

// Ours in colours, peers in greys.
function variantColours(series, greys) {
  const names = different(summary.map((row) => row.variant));
  const given = (chosen, colours) => chosen.map((name, i) => [name, colours[i % colours.length]]);
  return new Map([...given(names.filter((name) => !isPeer(name)), series), ...given(names.filter(isPeer), greys)]);
}

function drawCharts(cases) {
  if (!window.Plotly) return;
  const colours = readColours();
  const variants = different(summary.map((row) => row.variant));
  drawChart("chart-heatmap", heatmapFigure(cases, variants.filter((v) => cases.some((row) => row.variant === v)), colours));
  drawChart("chart-lines", linesFigure(cases, variants, colours));
  const limits = data.limits[cases[0].threads];
  if (limits) drawChart("chart-roofline", rooflineFigure(cases, variants, limits, colours));
}

function draw() {
  updateFilters();
  const cases = shownCases();
  if (!cases.length) return;
  document.getElementById("selection").textContent = describeSelection(cases);
  showSummary(cases);
  showCertificates(matching(certificates, ["network", "dataset", "dtype"]).sort((a, b) => a.certified - b.certified));
  drawCharts(cases);
}

FILTERS.forEach((name) => select(name).addEventListener("change", draw));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
loadPlotly().then(draw).catch(explainMissingCharts);
