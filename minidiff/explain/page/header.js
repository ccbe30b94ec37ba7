"use strict";

VIEWS.header = (data, place) => {
  const boxes = (data.judge ? data.judge.objects : []).map((one) => {
    const [left, top, right, bottom] = one.box.map((edge) => 100 * edge);
    return make("i", { class: "box", style: `left:${left}%;top:${top}%;width:${right - left}%;height:${bottom - top}%` });
  });
  const image = make("div", { class: "image" },
    make("img", { src: data.image, alt: say("image_alt", { prompt: data.prompt }), class: "sharp" }), boxes);
  const total = Object.values(data.parameters).reduce((a, b) => a + b, 0);
  const about = make("div", { class: "about" }, make("p", { class: "quote" }, `“${data.prompt}”`),
    facts([[say("seed"), data.seed], [say("model"), data.model], [say("sampler"), `${data.sampler}, ${data.steps} ${say("steps")}`],
      [say("guidance"), number(data.guidance)], ...data.negative ? [[say("negative"), data.negative]] : [], [say("parameters"), total.toLocaleString("en")]]),
    verdict(data.judge), data.command ? make("p", { class: "command" }, make("code", {}, data.command)) : null);
  place.append(make("div", { class: "hero" }, image, about), flow(data));
};

function verdict(judge) {
  if (!judge) return make("p", { class: "missing" }, say("no_judge"));
  const seen = judge.objects.map((one) => `${one.size} ${one.text}`).join(", ") || say("judge_nothing");
  const checks = Object.entries(judge.checks).filter(([name]) => name !== "right").map(([name, right]) =>
    make("li", { class: right ? "right" : "wrong" }, `${right ? "✓" : "✗"} ${say(`check_${name}`)}`));
  return make("div", { class: "judge" }, make("p", {}, `${say("judge_reads")}: `, make("b", {}, seen), ", ",
    say("judge_background", judge), "."), make("ul", { class: "checks" }, checks));
}

// The whole pipeline in one line, with the sizes of this run.
function flow(data) {
  const [height, width] = data.size;
  const parameters = (name) => say("flow_parameters", { n: data.parameters[name].toLocaleString("en") });
  const stage = (name, size, kind = "") => make("li", { class: kind }, make("b", {}, name), make("span", {}, size));
  return make("ol", { class: "flow" },
    stage(say("flow_prompt"), say("flow_tokens", { n: data.tokens }), "cond"),
    stage(say("flow_text"), parameters("text encoder")),
    stage(say("flow_noise"), say("flow_latents", { shape: data.latents.join(" × ") }), "noise"),
    stage(say("flow_unet", { n: data.steps }), parameters("UNet")),
    stage(say("flow_decoder"), parameters("autoencoder")),
    stage(say("image"), say("flow_image", { h: height, w: width }), "guided"));
}
