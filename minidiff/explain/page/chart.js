"use strict";
// A chart in SVG with axes, curves and marks. It is as wide as its place is on the page, so that letters keep their size.

function chart(place, options) {
  const { x, y, alt, logX = false, logY = false, xTicks = [], yTicks = [], format = number } = options;
  const width = Math.max(280, Math.min(options.width || 720, place.clientWidth || 720));
  const height = options.height || 260, left = options.left || 52, right = 16, top = 14, bottom = 42;
  const scale = (value, [low, high], log) => log
    ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value - low) / (high - low);
  const atX = (value) => left + scale(value, x, logX) * (width - left - right);
  const atY = (value) => height - bottom - scale(value, y, logY) * (height - top - bottom);
  const node = shape("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": alt,
    style: `max-width:${width}px` });
  for (const tick of xTicks) {
    node.append(shape("line", { class: "grid", x1: atX(tick), x2: atX(tick), y1: top, y2: height - bottom }),
      shape("text", { class: "tick", x: atX(tick), y: height - bottom + 17, "text-anchor": "middle" }, format(tick)));
  }
  for (const tick of yTicks) {
    node.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: atY(tick), y2: atY(tick) }),
      shape("text", { class: "tick", x: left - 8, y: atY(tick) + 4, "text-anchor": "end" }, format(tick)));
  }
  if (options.xLabel) node.append(shape("text", { class: "axis", x: (left + width - right) / 2, y: height - 6,
    "text-anchor": "middle" }, options.xLabel));
  const path = (points) => points.filter(([, b]) => b !== null)
    .map(([a, b], i) => `${i ? "L" : "M"}${atX(a).toFixed(1)} ${atY(b).toFixed(1)}`).join("");
  const add = (child) => { node.append(child); return child; };
  if (options.yLabel) place.append(make("p", { class: "axis-name" }, options.yLabel));  // in HTML, so that it can wrap
  place.append(node);
  return {
    node, atX, atY, width, height,
    line: (points, kind) => add(shape("path", { class: `curve ${kind}`, d: path(points) })),
    area: (points, kind) => add(shape("path", { class: `area ${kind}`,
      d: `${path(points)}L${atX(points.at(-1)[0])} ${height - bottom}L${atX(points[0][0])} ${height - bottom}Z` })),
    dot: (a, b, kind, radius = 4) => add(shape("circle", { class: `dot ${kind}`, cx: atX(a), cy: atY(b), r: radius })),
    upright: (a, kind = "now") => add(shape("line", { class: kind, x1: atX(a), x2: atX(a), y1: top, y2: height - bottom })),
    level: (b, kind = "chance") => add(shape("line", { class: kind, x1: left, x2: width - right, y1: atY(b), y2: atY(b) })),
    text: (a, b, text, kind = "", anchor = "start") => add(shape("text", { class: `mark ${kind}`, x: atX(a), y: atY(b),
      "text-anchor": anchor }, text)),
  };
}

function legend(entries) {
  return make("ul", { class: "legend" }, entries.map(([kind, text]) => make("li", {}, make("i", { class: kind }), text)));
}

// Where the pointer is over a chart, the nearest x is marked and its values are told in a line below.
function told(plot, place, xs, describe, hint = "") {
  const note = make("p", { class: "note told" }, hint), mark = plot.upright(xs[0]);
  mark.style.visibility = "hidden";
  const tell = (event) => {
    const box = plot.node.getBoundingClientRect(), at = (event.clientX - box.left) * plot.width / box.width;
    const away = xs.map((x) => Math.abs(plot.atX(x) - at)), i = away.indexOf(Math.min(...away));
    for (const end of ["x1", "x2"]) mark.setAttribute(end, plot.atX(xs[i]));
    mark.style.visibility = "visible";
    note.textContent = describe(i);
  };
  plot.node.addEventListener("pointermove", tell);
  plot.node.addEventListener("pointerdown", tell);
  place.append(note);
}

// Round values between two others, about as many as asked for.
function ticks(low, high, count = 5) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + 1e-9 * step; tick += step) found.push(Number(tick.toPrecision(8)));
  return found;
}

// The axis of the time t, the same in every chart: it ends where the schedule does, at a value with a label of its own.
function timeAxis(last, count = 5) {
  const inner = ticks(0, last, count).filter((tick) => tick < last * (1 - 0.5 / count));
  return { x: [0, last], xTicks: [...inner, last], xLabel: say("axis_time", { last: number(last, 5) }) };
}

function powers(low, high) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power += 1) found.push(Number(`1e${power}`));
  return found;
}

// Powers of ten, and twice and five times them where there are few.
function logTicks(low, high) {
  const whole = powers(low, high);
  if (whole.length > 2) return whole;
  return powers(low / 10, high).flatMap((power) => [1, 2, 5].map((factor) => Number((factor * power).toPrecision(3)))).filter((tick) => tick >= low && tick <= high);
}
