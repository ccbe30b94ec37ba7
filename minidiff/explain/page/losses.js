"use strict";

VIEWS.losses = (data, place) => {
  const kinds = { right: "cond", wrong: "guided", none: "uncond" }, names = Object.keys(data.errors);
  const every = names.flatMap((name) => data.errors[name]), low = Math.min(...every) * 0.8, high = Math.max(...every) * 1.3;
  const main = make("div");
  place.append(main);
  const plot = chart(main, { x: [0, data.last], y: [low, high], logY: true, width: 900, height: 320, xTicks: ticks(0, data.last),
    yTicks: powers(low, high), xLabel: say("loss_x"), alt: say("loss_error_alt") });
  for (const name of names) {
    plot.line(data.times.map((t, i) => [t, data.errors[name][i]]), kinds[name]);
    data.times.forEach((t, i) => plot.dot(t, data.errors[name][i], kinds[name], 3.5));
  }
  const texts = { right: say("loss_right"), wrong: say("loss_wrong", { text: data.texts.wrong }), none: say("loss_none") };
  main.append(legend(names.map((name) => [kinds[name], texts[name]])),
    make("p", { class: "note" }, say(data.true ? "loss_data_scenes" : "loss_data_own", { n: data.count })));
  const law = make("div"), weight = make("div");
  place.append(make("div", { class: "images stages" }, law, weight),
    make("p", { class: "note" }, say("loss_setting", data), " ", say("loss_extra", { x: number(100 * data.layout) })));
  const top = Math.max(...data.law), bars = chart(law, { x: [0, data.last], y: [0, 1.1 * top], height: 170, xTicks: ticks(0, data.last, 4),
    alt: say("loss_law_alt"), yLabel: say("loss_law") });
  const width = data.last / data.law.length;
  bars.area(data.law.flatMap((y, i) => [[i * width, y], [(i + 1) * width, y]]), "cond");
  const values = data.weight.y, curve = chart(weight, { x: [0, data.last], y: [0, 1.1 * Math.max(...values)], height: 170,
    xTicks: ticks(0, data.last, 4), yTicks: ticks(0, Math.max(...values), 2), alt: say("loss_weight_alt"), yLabel: say("loss_weight") });
  curve.line(data.weight.t.map((t, i) => [t, values[i]]), "guided");
};
