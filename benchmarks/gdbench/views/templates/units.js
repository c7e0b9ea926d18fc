// Numbers as text, written as gdbench writes them everywhere: three digits and a unit. A dash is no number.

const DASH = "-";
const STEPS = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];

const unitOf = (seconds) => STEPS.find(([size]) => seconds >= 0.9995 * size) ?? STEPS.at(-1);

// The same text as gdbench.basics.units.digits, which a test compares.
function digits(x) {
  if (!Number.isFinite(x)) return DASH;
  const exponent = Number(x.toExponential(2).split("e")[1]); // 9.999 is 10.0: two digits before the point
  const rounded = roundToEven(x, Math.max(0, 2 - exponent));
  return exponent < 3 ? rounded : rounded.replace(/\B(?=(\d{3})+$)/g, ","); // such numbers have no decimals
}

// Python rounds a tie to the even digit, toFixed away from zero: 75.25 is 75.2. A hundred places are exact enough to see a tie.
function roundToEven(x, places) {
  const exact = x.toFixed(100), end = exact.indexOf(".") + 1 + places;
  const below = exact.slice(0, places ? end : end - 1);
  const tie = /^50*$/.test(exact.slice(end));
  return tie && /[02468]$/.test(below) ? below : x.toFixed(places);
}

const formatCount = (x) => x.toLocaleString("en");

function formatSeconds(seconds) {
  if (seconds === null) return DASH;
  const [size, unit] = unitOf(seconds);
  return `${digits(seconds / size)} ${unit}`;
}

function formatSecondsRange(low, high) {
  if (low === null || high === null) return "";
  const [size, unit] = unitOf(high);
  return `${digits(low / size)} to ${digits(high / size)} ${unit}`;
}

// Without the zeros that only tables need: "10 µs".
function formatTick(seconds) {
  const [size, unit] = unitOf(seconds);
  return `${Number((seconds / size).toPrecision(3))} ${unit}`;
}

const formatSpeed = (ratio) => (ratio === null ? DASH : `${digits(ratio)}x`);
const formatSpeedRange = (low, high) => (low === null || high === null ? "" : `${digits(low)} to ${digits(high)}x`);
const formatShare = (fraction) => (fraction === null ? DASH : `${digits(100 * fraction)} %`);
const formatRate = (rate) => (rate === null ? DASH : formatCount(Number(rate.toPrecision(3))));

const formatFlops = (rate) => `${digits(rate / 1e9)} GFLOP/s`;

// An error that is not finite is stored as null.
const formatError = (error) => (error === null ? "not finite" : error === 0 ? "0" : error.toExponential(1));
