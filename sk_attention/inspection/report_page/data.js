// What the page shows, and how numbers are written.

const content = JSON.parse(document.getElementById("content").textContent);

// Numbers of 16 bits in base 64 -> a function from the row to its numbers.
function unpack(packed, width) {
  const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const values = new Float64Array(bytes.length / 2);
  for (let i = 0; i < values.length; i += 1) {
    values[i] = view.getInt16(2 * i, true) * packed.scale;
  }
  return (row) => values.subarray(row * width, (row + 1) * width);
}

const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: false });
const grouped = new Intl.NumberFormat("en");
const shares = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

function written(value) {
  return value === null ? "–" : digits.format(value).replace("-", "−");
}

function fixed(value, places) {
  return value === null ? "–" : value.toFixed(places).replace("-", "−");
}

function signed(value) {
  return (value > 0 ? "+" : "") + fixed(value, 3);
}

function share(value) {
  return value === null ? "–" : shares.format(value);
}

// The columns of the page's tables: those shown, and behind them the sum of the others.
const columnNames = content.attention.columns.slice();
if (content.attention.n_others > 0) {
  columnNames.push(`${grouped.format(content.attention.n_others)} other columns`);
}

// Positions, those of the largest values first.
function largestFirst(values) {
  return Array.from(values.keys()).sort((one, other) => values[other] - values[one]);
}
