"use strict";

VIEWS.backwards = (data, place) => {
  const ratio = (stage) => stage.gradient / stage.weight, ratios = data.stages.map(ratio), batch = { t: data.times.map((t) => Math.round(t)).join(", "), n: data.times.length,
    weighting: data.weighting, loss: data.loss.toPrecision(4), without: data.without_middle.toPrecision(4) };
  const low = Math.log(Math.min(...ratios)) - 0.3, high = Math.log(Math.max(...ratios));
  const length = (stage) => 100 * (Math.log(ratio(stage)) - low) / (high - low);
  place.append(make("p", { class: "note" }, say("back_axis")),
    make("ul", { class: "gradients", "aria-label": say("back_alt") }, data.stages.map((stage) => make("li", {}, make("code", {}, stage.name),
      make("i", { class: "guided", style: `--x:${length(stage)}%` }), make("span", {}, number(ratio(stage), 2))))),
    make("p", { class: "finding" }, say("back_middle", { times: number(Math.max(...ratios) / Math.min(...ratios), 1), least: data.stages[ratios.indexOf(Math.min(...ratios))].name }),
      " ", say("back_loss", batch), " ", say(data.without_middle < 1.05 * data.loss ? "back_around" : "back_needed")),
    make("h3", {}, say("back_check")), ...data.checks.map((check) => make("dl", { class: "check" }, [
      [say("back_weight"), `${check.name}[${check.index.join(", ")}]`], [say("back_backward"), check.backward.toPrecision(10)],
      [say("back_difference"), check.quotient.toPrecision(10)], [say("back_off"), number(check.off, 2)],
    ].map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))))),
    make("p", { class: "note" }, say("back_note", { h: data.h })));
};
