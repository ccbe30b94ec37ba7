"use strict";

VIEWS.losses = (data, place) => {
  const kinds = { right: "cond", wrong: "other", none: "uncond" }, names = Object.keys(data.errors);
  const every = names.flatMap((name) => data.errors[name]), low = Math.min(...every) * 0.8, high = Math.max(...every) * 1.3;
  const main = make("div");
  place.append(main);
  const plot = chart(main, { ...timeAxis(data.last), y: [low, high], logY: true, width: 900, height: 310,
    yTicks: logTicks(low, high), yLabel: say("loss_y", { kind: say(`answer_${data.kind}`) }), alt: say("loss_error_alt") });
  for (const name of names) {
    plot.line(data.times.map((t, i) => [t, data.errors[name][i]]), kinds[name]);
    data.times.forEach((t, i) => plot.dot(t, data.errors[name][i], kinds[name], 3.5));
  }
  const texts = { right: say("loss_right"), wrong: say("loss_wrong", { text: data.texts.wrong }), none: say("loss_none") };
  told(plot, main, data.times, (i) => `t = ${data.times[i]}: ${names.map((name) => `${texts[name]} ${number(data.errors[name][i])}`).join(", ")}`, say("point"));
  main.append(legend(names.map((name) => [kinds[name], texts[name]])),
    make("p", { class: "note" }, say(data.true ? "loss_data_scenes" : "loss_data_own", { n: data.count })));
  if (data.kind !== "epsilon") main.append(make("p", { class: "finding" }, say("loss_pure", { t: data.last, zero: number(data.zero), right: number(data.errors.right.at(-1)), none: number(data.errors.none.at(-1)), apart: number(data.apart) })));
  const parts = [["law", "uncond"], ["weight", "noise"], ["product", "cond"]], spots = parts.map(() => make("div"));
  place.append(make("h3", {}, say("loss_trains")), make("div", { class: "images stages" }, spots));
  parts.forEach(([name, kind], i) => {
    const values = data[name], top = Math.max(...values);
    const small = chart(spots[i], { ...timeAxis(data.last, 2), y: [0, 1.1 * top], height: 180, yTicks: ticks(0, top, 2), yLabel: say(`loss_${name}`),
      alt: say(`loss_${name}_alt`) });
    small.area(steps(data.middles, values, data.last), kind);
    told(small, spots[i], data.middles, (j) => `t = ${Math.round(data.middles[j])}: ${number(values[j])}`);
  });
  place.append(make("p", { class: "finding" }, say("loss_sum", { loss: number(data.loss), peak: peak(data.product, data.middles), worst: peak(data.errors.right, data.times) })),
    make("p", { class: "note" }, say(data.folder ? "loss_run" : "loss_setting", data), " ", say("loss_extra", { x: number(100 * data.pure) })));
};

// The outline of a histogram.
function steps(middles, values, last) {
  const width = last / middles.length;
  return values.flatMap((y, i) => [[i * width, y], [(i + 1) * width, y]]);
}

function peak(values, times) {
  return Math.round(times[values.indexOf(Math.max(...values))]);
}
