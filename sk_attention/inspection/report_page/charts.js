// Lines of what becomes of a task's skill as features are deleted.

const WIDTH = 280;
const HEIGHT = 150;
const MARGIN = { left: 34, right: 8, top: 8, bottom: 26 };

// curves: [{ name, values, class }]; chance: where a guess would be
function deletionChart(label, counts, curves, chance) {
  const known = curves.flatMap((curve) => curve.values).filter((value) => value !== null);
  const low = Math.min(chance, ...known);
  const high = Math.max(chance, ...known);
  const x = (count) =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * count) / counts[counts.length - 1];
  const y = (value) =>
    HEIGHT -
    MARGIN.bottom -
    ((HEIGHT - MARGIN.top - MARGIN.bottom) * (value - low)) / (high - low || 1);
  const text = (left, top, anchor, what) =>
    draw("text", { x: left, y: top, "text-anchor": anchor }, what);
  const lines = curves
    .filter((curve) => !curve.values.includes(null))
    .map((curve) =>
      draw("polyline", {
        class: curve.class,
        points: curve.values.map((value, i) => `${x(counts[i])},${y(value)}`).join(" "),
      }),
    );
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    draw("line", {
      class: "guess",
      x1: x(0),
      x2: WIDTH - MARGIN.right,
      y1: y(chance),
      y2: y(chance),
    }),
    ...lines,
    text(MARGIN.left - 4, y(high) + 9, "end", high.toFixed(2)),
    text(MARGIN.left - 4, y(low), "end", low.toFixed(2)),
    text(x(0), HEIGHT - 8, "start", "no column deleted"),
    text(WIDTH - MARGIN.right, HEIGHT - 8, "end", "all"),
  );
}

function legend(curves) {
  const entries = curves.map((curve) =>
    make(
      "li",
      {},
      draw(
        "svg",
        { viewBox: "0 0 24 8", "aria-hidden": "true" },
        draw("line", { class: curve.class, x1: 0, x2: 24, y1: 4, y2: 4 }),
      ),
      curve.name,
    ),
  );
  return make("ul", { class: "legend" }, ...entries);
}
