// Plotly lies in the page as gzip in base 85 (RFC 1924 alphabet, with a comma for "<"): base 64 is a tenth larger.

const BASE85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

// Five digits make four bytes; the last group may be short.
function fromBase85(text) {
  const digits = new Uint8Array(128);
  [...BASE85].forEach((sign, value) => { digits[sign.charCodeAt(0)] = value; });
  const padded = text.padEnd(Math.ceil(text.length / 5) * 5, "~");
  const bytes = new DataView(new ArrayBuffer((padded.length / 5) * 4));
  for (let i = 0; i < padded.length; i += 5) {
    let word = 0;
    for (let j = i; j < i + 5; j += 1) word = word * 85 + digits[padded.charCodeAt(j)];
    bytes.setUint32((i / 5) * 4, word);
  }
  return bytes.buffer.slice(0, bytes.byteLength - (padded.length - text.length));
}

async function loadPlotly() {
  if (!window.DecompressionStream) {
    throw new Error("this browser lacks DecompressionStream (browsers since May 2023 have it)");
  }
  const packed = fromBase85(document.getElementById("plotly-packed").textContent.trim());
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}
