// The picture of a comparison: one point per case with its interval. Nothing here touches the page.

const RATIO_TICKS = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 0.95, 0.98, 1, 1.02, 1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100,
];
const KINDS = {
  BROKEN: ["broken", "x"],
  REGRESSED: ["regressed", "triangle-up"],
  IMPROVED: ["improved", "triangle-down"],
  MISSING: ["missing", "x"],
  "INSUFFICIENT EVIDENCE": ["insufficient", "diamond-open"],
  "NOT CLAIMABLE": ["unclaimed", "square-open"],
  UNCHANGED: ["unchanged", "circle"],
};
const kindOf = (row) => KINDS[row.verdict]?.[0] ?? "";

const BYTE_STEPS = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];

function formatBytes(bytes) {
  const [size, unit] = BYTE_STEPS.find(([step]) => bytes >= step) ?? [1, "B"];
  return size === 1 ? `${bytes.toFixed(0)} B` : `${digits(bytes / size)} ${unit}`;
}

const formatAmount = (value, unit) => (value === null ? DASH : unit === "s" ? formatSeconds(value) : formatBytes(value));

// A ratio and the ends of its interval, to digits that tell them apart, as gdbench.compare.tables.ratio_text writes them.
function ratioDigits(row) {
  if (row.low === null || row.high === null || row.low === row.high || row.high >= 10) return digits;
  const places = Math.min(Math.max(-Math.floor(Math.log10((row.high - row.low) / 2)), 2), 4);
  return (x) => x.toFixed(places);
}
const formatRatio = (row) => (row.ratio === null ? DASH : `${ratioDigits(row)(row.ratio)}x`);
function formatInterval(row) {
  if (row.low === null || row.high === null || row.low === row.high) return "";
  return `${ratioDigits(row)(row.low)} to ${ratioDigits(row)(row.high)}`;
}

// Two digits, as gdbench.compare.tables.percent has them.
function formatPercent(fraction) {
  if (fraction === null) return "none";
  const rounded = Number((100 * fraction).toPrecision(2));
  return `${Math.abs(rounded) >= 10 ? rounded.toFixed(0) : rounded.toPrecision(2)} %`;
}

function describeRatio(row) {
  return [
    `<b>${row.verdict}</b>`,
    plain(row.name),
    `${formatAmount(row.base, row.unit)} to ${formatAmount(row.head, row.unit)}, ${formatRatio(row)} (${formatInterval(row)})`,
    `smallest visible effect ${formatPercent(row.smallest_effect)}, ${row.blocks} blocks`,
    ...(row.reason ? [plain(row.reason)] : []),
  ].join("<br>");
}

// Room for every point, and for the intervals of what changed; those of noisy cases would flatten all the others.
function ratioRange(rows, equivalence) {
  const changed = rows.filter((row) => ["REGRESSED", "IMPROVED"].includes(row.verdict) && row.low !== null);
  const values = [...rows.map((row) => row.ratio), ...changed.flatMap((row) => [row.low, row.high]), 1 + 2 * equivalence, 1 / (1 + 2 * equivalence)];
  const [low, high] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))];
  const room = 0.06 * (high - low);
  return [low - room, high + room];
}

// 1x first, then outwards, leaving out what would stand too close.
function ratioTicks([low, high]) {
  const near = [...RATIO_TICKS].sort((a, b) => Math.abs(Math.log(a)) - Math.abs(Math.log(b)));
  const kept = [];
  near.filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high).forEach((tick) => {
    if (kept.every((other) => Math.abs(Math.log10(tick / other)) > (high - low) / 14)) kept.push(tick);
  });
  return { tickvals: kept, ticktext: kept.map((tick) => `${tick}x`) };
}

function ratiosFigure(cases, verdicts, equivalence, colours) {
  const { axis, ...layout } = baseLayout(colours);
  const rows = cases.filter((row) => row.ratio !== null && row.ratio > 0).sort((a, b) => a.ratio - b.ratio);
  const at = new Map(rows.map((row, i) => [row, i + 1]));
  const points = (verdict) => {
    const shown = rows.filter((row) => row.verdict === verdict);
    const [kind, symbol] = KINDS[verdict], color = colours.kinds[kind];
    const reach = (row, end) => (end === null ? 0 : Math.abs(end - row.ratio));
    return {
      type: "scatter",
      mode: "markers",
      name: `${verdict} (${shown.length})`,
      x: shown.map((row) => at.get(row)),
      y: shown.map((row) => row.ratio),
      error_y: {
        type: "data",
        symmetric: false,
        array: shown.map((row) => reach(row, row.high)),
        arrayminus: shown.map((row) => reach(row, row.low)),
        thickness: 1.2,
        width: 0,
        color,
      },
      marker: { color, size: 8, symbol },
      hovertext: shown.map(describeRatio),
      hoverinfo: "text",
    };
  };
  const range = ratioRange(rows, equivalence);
  return {
    data: verdicts.map(points).filter((trace) => trace.x.length),
    layout: {
      ...layout,
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { ...axis, showgrid: false, showticklabels: false, range: [0, rows.length + 1], title: { text: `${rows.length} cases, sorted by ratio` } },
      yaxis: { ...axis, type: "log", range, ...ratioTicks(range), title: { text: "head relative to base" } },
      shapes: [
        { type: "rect", xref: "paper", x0: 0, x1: 1, y0: 1 / (1 + equivalence), y1: 1 + equivalence, fillcolor: colours.band, line: { width: 0 }, layer: "below", name: "band" },
        { type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: colours.soft, width: 1 }, layer: "below" },
      ],
    },
    minWidth: 300,
    height: 440,
  };
}
