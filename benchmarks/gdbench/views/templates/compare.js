// Reads a comparison's data, and redraws picture and table whenever a filter changes.

const ALL = "all";
const FILTERS = ["metric", "verdict", "network", "task", "variant", "dtype"];
const data = JSON.parse(document.getElementById("run-data").textContent);
const cases = readTable(data.cases);
const controls = readTable(data.controls);
const isPeer = () => false; // charts.js asks it for names of variants, which are not shown here
const select = (name) => document.getElementById(`filter-${name}`);
const known = (rows, field) => rows.some((row) => row[field] !== null);

const COLUMNS = [
  { title: "verdict", value: (row) => row.verdict },
  { title: "case", value: (row) => row.name, interval: (row) => row.reason, long: true },
  { title: "base", number: true, value: (row) => row.base, text: (row) => formatAmount(row.base, row.unit) },
  { title: "head", number: true, value: (row) => row.head, text: (row) => formatAmount(row.head, row.unit) },
  { title: "ratio", number: true, value: (row) => row.ratio, text: formatRatio, interval: formatInterval },
  { title: "smallest visible effect", number: true, value: (row) => row.smallest_effect,
    text: (row) => (row.ratio === null || row.unit !== "s" ? DASH : formatPercent(row.smallest_effect)) },
  { title: "p adjusted", number: true, field: "p_adjusted", value: (row) => row.p_adjusted, text: (row) => formatP(row.p_adjusted) },
  { title: "spread of pairs", number: true, value: (row) => row.pair_sd,
    text: (row) => (row.pair_sd === null ? DASH : formatPercent(row.pair_sd)) },
  { title: "blocks", number: true, value: (row) => row.blocks },
  { title: "minutes needed", number: true, field: "minutes_needed", value: (row) => row.minutes_needed,
    text: (row) => (row.minutes_needed === null ? DASH : digits(row.minutes_needed)) },
];
const formatP = (p) => (p === null ? DASH : p >= 1e-3 ? String(Number(p.toPrecision(1))) : p.toExponential(0));

// Columns that no row of this comparison has anything in are left out.
const columnsFor = (rows) => COLUMNS.filter((column) => !column.field || known(rows, column.field));
const showCases = makeTable(document.getElementById("table-cases"), columnsFor(cases), kindOf);
const showControls = makeTable(document.getElementById("table-controls"), columnsFor(controls), kindOf);

const chosen = (row, name) => select(name).value === ALL || String(row[name]) === select(name).value;
const shownCases = () => cases.filter((row) => FILTERS.every((name) => chosen(row, name)));

// A metric is always chosen, since times and bytes have no axis in common.
function fillFilters() {
  FILTERS.forEach((name) => {
    const order = name === "metric" ? Object.keys(data.metrics) : name === "verdict" ? data.verdicts : null;
    const there = different(cases.map((row) => String(row[name] ?? "")).filter(Boolean));
    const values = order ? order.filter((value) => there.includes(value)) : there.sort();
    const offered = name === "metric" ? values : [ALL, ...values];
    select(name).replaceChildren(...offered.map((value) => new Option(data.metrics[value] ?? value, value)));
    select(name).parentElement.hidden = values.length < 2;
  });
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const kinds = ["regressed", "improved", "unchanged", "insufficient", "unclaimed"].map((kind) => [kind, of(kind)]);
  const colours = { ink: of("ink"), soft: of("soft"), line: of("line"), band: of("band") };
  return { ...colours, kinds: { ...Object.fromEntries(kinds), broken: of("regressed"), missing: of("soft") } };
}

function draw() {
  const rows = shownCases();
  document.getElementById("selection").textContent = `${formatCount(rows.length)} of ${formatCount(cases.length)} rows`;
  showCases(rows);
  if (window.Plotly) drawChart("chart-ratios", ratiosFigure(rows, data.verdicts, data.equivalence, readColours()));
}

FILTERS.forEach((name) => select(name).addEventListener("change", draw));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
fillFilters();
showControls(controls);
draw();
loadPlotly().then(draw).catch(explainMissingCharts);
