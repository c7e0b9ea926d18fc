// Draws one case's values over the commits, the levels between its steps, and a line at each step.

const data = JSON.parse(document.getElementById("run-data").textContent);
const chooser = document.getElementById("case");
const COLOURS = { REGRESSION: "#b3261e", SHARED: "#b06000", IMPROVEMENT: "#0b7a4b", ENVIRONMENT: "#8b6fb0" };

// Subjects are what anybody wrote, and Plotly reads some HTML in its labels.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

function historyFigure(series, ink, line) {
  const there = series.values.map((value, i) => i).filter((i) => series.values[i] !== null);
  const points = {
    type: "scatter", mode: "markers", x: there, y: there.map((i) => series.values[i]), name: "result",
    marker: { size: 6, color: ink },
    text: there.map((i) => plain(data.commits[i].filter(Boolean).join(" "))), hovertemplate: "%{text}<br>%{y}<extra></extra>",
  };
  const levels = series.levels.map(([start, stop, level]) => ({
    type: "scatter", mode: "lines", x: [start, stop], y: [level, level], line: { width: 3, color: "#0b6e78" }, hoverinfo: "skip",
  }));
  const lines = series.steps.map((step) => ({
    type: "line", x0: step.at - 0.5, x1: step.at - 0.5, yref: "paper", y0: 0, y1: 1,
    line: { width: 2, dash: step.status === "final" ? "solid" : "dot", color: COLOURS[step.label] },
  }));
  const names = series.steps.map((step) => ({
    x: step.at - 0.5, yref: "paper", y: 1, yanchor: "bottom", showarrow: false, font: { color: COLOURS[step.label] },
    text: `${step.change} ${data.commits[step.at][0]}`,
  }));
  const ticks = data.commits.map((_, i) => i).filter((i) => i % Math.ceil(data.commits.length / 12) === 0);
  return {
    data: [points, ...levels], minWidth: 640, height: 420,
    layout: {
      shapes: lines, annotations: names, showlegend: false, font: { color: ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { t: 40, r: 20, b: 70, l: 80 },
      xaxis: { title: { text: "commit" }, zeroline: false, tickvals: ticks, ticktext: ticks.map((i) => data.commits[i][0]), gridcolor: line },
      yaxis: { title: { text: "result, in asv's unit (seconds for times)" }, type: series.axis, exponentformat: "SI", gridcolor: line },
    },
  };
}

function draw() {
  const series = data.cases[Number(chooser.value)];
  if (!series || !window.Plotly) return;
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  drawChart("chart-history", historyFigure(series, of("ink"), of("line")));
}

chooser.replaceChildren(...data.cases.map((series, i) => {
  const count = series.steps.length;
  return new Option(count ? `${series.case} (${count} step${count === 1 ? "" : "s"})` : series.case, String(i));
}));
chooser.addEventListener("change", draw);
loadPlotly().then(draw).catch(explainMissingCharts);
