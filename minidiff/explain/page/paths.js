"use strict";

VIEWS.paths = (data, place) => {
  const points = data.paths.flat(), steps = data.paths[0].length - 1;
  const range = (axis) => {
    const values = points.map((point) => point[axis]), low = Math.min(...values), high = Math.max(...values);
    return [low - 0.05 * (high - low), high + 0.05 * (high - low)];
  };
  const curves = make("div");
  place.append(curves);
  const plot = chart(curves, { x: range(0), y: range(1), width: 900, height: 400, left: 16,
    xLabel: say("path_first"), yLabel: say("path_second"), alt: say("path_alt", { n: data.paths.length }) });
  const tints = data.paths.map((_, i) => `--c:hsl(${Math.round(i * 360 / data.paths.length + 20)} 62% var(--tint))`);
  const lines = data.paths.map((path, i) => {
    const line = plot.line(path, "path");
    line.setAttribute("style", tints[i]);
    return line;
  });
  data.paths.forEach(([[a, b]]) => plot.dot(a, b, "begin", 3.5));
  const dots = data.paths.map((path, i) => {
    const dot = plot.dot(path[0][0], path[0][1], "path", 5);
    dot.setAttribute("style", tints[i]);
    return dot;
  });
  const control = slider(say("path_step"), steps + 1, steps, (i) => say("of", { i, n: steps }), (i) => data.paths.forEach((path, j) => {
    dots[j].setAttribute("cx", plot.atX(path[i][0]));
    dots[j].setAttribute("cy", plot.atY(path[i][1]));
  }));
  const seeds = picker(say("seed"), data.seeds.map((seed, i) => {
    const text = say("path_seed", { seed }), image = sprite(data.images, text);
    image.show(i);
    return make("span", { style: tints[i] }, image, make("small", {}, text));
  }), (i) => lines.forEach((line, j) => line.classList.toggle("chosen", i === j)));
  const end = (i, off, alt) => {
    const image = sprite(data.ends, alt);
    image.show(i);
    return make("td", {}, image, make("small", {}, off));
  };
  const reference = { sampler: data.reference[0], n: data.reference[1] };
  const rows = data.samplers.map((sampler, i) => make("tr", {}, make("th", { scope: "row" }, sampler), data.counts.map((count, j) => {
    const k = i * data.counts.length + j, one = data.table[k], off = say("path_off", { x: number(one.off, 2) });
    return end(k + 1, `${off}, ${say("path_calls", { n: one.calls })}`, `${sampler}, ${say("path_steps", { n: count })}, ${off}`);
  })));
  place.append(make("div", { class: "panel seeds" }, control, curves, legend([["begin", say("path_noise")], ["ends", say("path_here")]]),
    make("p", { class: "finding" }, say("path_kept", { percent: number(100 * data.kept, 2) }), " ",
      Math.abs(data.decided) > 0.5 ? say("path_decided", { r: number(data.decided) }) : ""), seeds),
    make("h3", {}, say("path_table")), make("div", { class: "reference" }, figure(say("path_reference", reference), sprite(data.ends, say("path_reference", reference))),
      make("p", { class: "note" }, say("path_off_note", reference))), wide(say("path_table"), make("table", { class: "samplers" },
      make("thead", {}, make("tr", {}, make("td"), data.counts.map((n) => make("th", { scope: "col" }, say("path_steps", { n }))))),
      make("tbody", {}, rows))));
  const far = data.table.find((one) => one.sampler === "heun" && one.off > 100);
  const listed = (name, factor = 1) => data.firsts.map((one) => number(factor * one[name], 2)).join(", ");
  if (data.firsts.length && far) place.append(make("p", { class: "finding" }, say("path_unstable", { n: far.steps, off: number(far.off, 2),
    steps: listed("steps"), factors: listed("factor"), differences: listed("difference", 100) })));
  control.begin();
  seeds.begin();
};
