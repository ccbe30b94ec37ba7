"use strict";

VIEWS.plane = (data, place) => {
  const furthest = Math.max(data.width, ...["learned", "exact"].flatMap((kind) => data[kind].points.flat(2).map(Math.abs)));
  const size = 400, half = furthest + 0.15, at = (value) => size * (value + half) / (2 * half), up = (value) => size - at(value);
  const fields = ["learned", "exact"].map((kind) => {
    const arrows = data.grid.map(() => shape("line", { class: "field" })), heads = data.grid.map(() => shape("polygon", { class: "tip", points: "0,0 -5,2.4 -5,-2.4" }));
    const points = data[kind].points[0].map(() => shape("circle", { class: "point", r: 3 }));
    const svg = shape("svg", { class: "points", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": say("plane_alt", { kind: say(`plane_${kind}`) }) },
      data.data.map(([a, b]) => shape("circle", { class: "datum", cx: at(a), cy: up(b), r: 1.8 })), arrows, heads, points);
    return { kind, arrows, heads, points, svg };
  });
  const note = make("p", { class: "note" }), last = data.sigma.length;
  const control = slider(say("axis_noise"), last + 1, 3, (i) => i < last ? `σ = ${number(data.sigma[i], 2)}` : "σ = 0", (i) => {
    const now = Math.min(i, last - 1);
    for (const { kind, arrows, heads, points } of fields) {
      data.grid.forEach(([a, b], j) => {
        const [dx, dy] = data[kind].arrows[now][j], scale = 0.32 / (0.6 + Math.hypot(dx, dy));
        for (const [name, value] of Object.entries({ x1: at(a), y1: up(b), x2: at(a + scale * dx), y2: up(b + scale * dy) })) {
          arrows[j].setAttribute(name, value.toFixed(1));
        }
        const turn = -Math.atan2(dy, dx) * 180 / Math.PI, size = Math.min(1, scale * Math.hypot(dx, dy) / 0.12);
        heads[j].setAttribute("transform", `translate(${at(a + scale * dx).toFixed(1)} ${up(b + scale * dy).toFixed(1)}) rotate(${turn.toFixed(1)}) scale(${size.toFixed(2)})`);
      });
      data[kind].points[i].forEach(([a, b], j) => { points[j].setAttribute("cx", at(a).toFixed(1)); points[j].setAttribute("cy", up(b).toFixed(1)); });
    }
    const [learned, exact] = fields.map(({ kind }) => data[kind].arrows[now]);
    const square = (a) => a.reduce((sum, [x, y]) => sum + x * x + y * y, 0);
    note.textContent = say("plane_error", { x: number(100 * Math.sqrt(square(learned.map(([x, y], j) => [x - exact[j][0], y - exact[j][1]])) / square(exact)), 2), sigma: number(data.sigma[now], 2) });
  }, [say("plane_time"), say("plane_data")]);
  place.append(make("div", { class: "panel" }, control, make("div", { class: "images two fields" },
    fields.map(({ kind, svg }) => figure(say(`plane_${kind}`), svg))), note,
    legend([["datum", say("plane_datum")], ["point", say("plane_points")], ["field", say("plane_arrows")]]),
    make("p", { class: "note" }, say("plane_sampler", data))));
  control.begin();
};
