"use strict";

VIEWS.training = (data, place) => {
  if (data.commands) {
    place.append(make("div", { class: "how" }, make("p", {}, say("no_run")), make("ol", {}, data.commands.map((command, i) =>
      make("li", {}, make("code", {}, command), make("span", {}, say(`run_${i + 1}`)))))));
    return;
  }
  const panels = make("div", { class: "images stages" });
  place.append(make("p", { class: "finding" }, say("train_curves"), data.stages.some((stage) => stage.chance) ? ` ${say("train_dashed")}` : ""), panels);
  const spots = data.stages.map(() => make("div"));
  panels.append(...spots);
  for (const [i, stage] of data.stages.entries()) {
    const spot = spots[i];
    const curves = Object.entries(stage.losses), points = curves.flatMap(([, curve]) => curve);
    const values = points.map(([, y]) => y).concat(stage.chance ? [stage.chance.loss] : []);
    const low = Math.min(...values) * 0.85, high = Math.max(...values) * 1.15, last = Math.max(...points.map(([x]) => x));
    const plot = chart(spot, { x: [Math.max(1, Math.min(...points.map(([x]) => x))), Math.max(2, last)], y: [low, high], logX: true, logY: true,
      height: 220, xTicks: powers(1, last).filter((x) => x >= points[0][0]), yTicks: logTicks(low, high),
      xLabel: say("train_step"), alt: say("train_alt", { stage: stage.name }), yLabel: say("train_y", { stage: stage.name }) });
    for (const [name, curve] of curves) plot.line(curve, name === "loss" ? "cond" : "guided");
    if (stage.chance) {
      plot.level(stage.chance.loss);
      spot.append(make("p", { class: "note" }, say("train_chance", { n: stage.chance.count, x: number(stage.chance.loss) })));
    }
  }
  place.append(legend([["cond", say("train_loss")], ["guided", say("train_held_out")]]));
  if (data.samples.length) {
    place.append(make("h3", {}, say("train_samples")), make("div", { class: "images small" }, data.samples.map((one) => {
      const text = say("train_sample", one);
      return figure(text, make("img", { src: one.image, alt: text }));
    })));
  }
};
