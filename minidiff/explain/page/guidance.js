"use strict";

// The same arrows, turned so that the guided one points to the right.
function turned(step) {
  const [x, y] = step.guided, length = Math.hypot(x, y);
  const turn = ([a, b]) => [(a * x + b * y) / length, (b * x - a * y) / length];
  return { ...step, uncond: turn(step.uncond), cond: turn(step.cond), guided: turn(step.guided) };
}

VIEWS.guidance = (data, place) => {
  const width = Math.max(300, Math.min(620, place.clientWidth)), height = 300, margin = 44;
  const svg = shape("svg", { class: "plane", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": say("guide_alt"),
    style: `max-width:${width}px` });
  const values = make("div"), note = make("p", { class: "note" }), noise = Math.sqrt(data.values);
  const arc = [-0.16, 0.16].map((angle) => [noise * Math.cos(angle), noise * Math.sin(angle)]);
  const control = slider(say("film_step"), data.steps.length, 0, (i) => say("of", { i: i + 1, n: data.steps.length }), (i) => {
    const step = turned(data.steps[i]), names = ["uncond", "cond", "guided"], points = [[0, 0], ...arc, ...names.map((name) => step[name])];
    const [low, high] = [Math.min, Math.max].map((end) => [0, 1].map((axis) => end(...points.map((point) => point[axis]))));
    const unit = Math.min((width - 2 * margin) / (high[0] - low[0]), (height - 2 * margin) / (high[1] - low[1]));
    const at = ([a, b]) => [width / 2 + (a - (low[0] + high[0]) / 2) * unit, height / 2 - (b - (low[1] + high[1]) / 2) * unit];
    const origin = at([0, 0]), ruler = 10 ** Math.floor(Math.log10((width - 2 * margin) / unit / 1.5));
    const sweep = arc.map((end) => at(end).map((x) => x.toFixed(1)).join(" "));
    const line = (from, to, kind) => shape("line", { class: kind, x1: from[0], y1: from[1], x2: to[0], y2: to[1] });
    svg.replaceChildren(shape("path", { class: "through", d: `M${sweep[0]}A${noise * unit} ${noise * unit} 0 0 0 ${sweep[1]}` }),
      shape("text", { class: "tick", x: at(arc[1])[0], y: at(arc[1])[1] - 8, "text-anchor": "middle" }, say("guide_noise", { x: number(noise) })),
      line(at(step.uncond), at(step.guided), "through"), ...["guided", "cond", "uncond"].flatMap((name) => {
      const end = at(step[name]), angle = Math.atan2(end[1] - origin[1], end[0] - origin[0]);
      const wing = (turn) => `${end[0] - 10 * Math.cos(angle + turn)},${end[1] - 10 * Math.sin(angle + turn)}`;
      return [line(origin, end, `arrow ${name}`), shape("polygon", { class: `head ${name}`,
        points: `${end[0]},${end[1]} ${wing(0.4)} ${wing(-0.4)}` })];
    }), shape("circle", { class: "origin", cx: origin[0], cy: origin[1], r: 3 }),
    shape("path", { class: "ruler", d: `M4 ${height - 16}v8h${ruler * unit}v-8` }),
    shape("text", { class: "tick", x: 10 + ruler * unit, y: height - 6 }, say("guide_ruler", { x: number(ruler) })));
    const length = ([a, b]) => number(Math.hypot(a, b));
    values.replaceChildren(facts([...names.map((name) => [say(`guide_${name}`), length(step[name])]), [say("guide_apart"), number(step.apart)], [say("guide_apart_x0"), number(step.apart_x0)],
      [say("guide_angle"), `${number(step.degrees, 2)}°`]]));
    note.textContent = `${say("guide_unit", { n: data.values.toLocaleString("en"), x: number(noise) })} ${say("guide_outside", { x: number(step.outside, 1) })}`;
  });
  if (data.strip) place.append(make("h3", {}, say("guide_what", { scale: number(data.scale) })), result(data), make("h3", {}, say("guide_how")));
  place.append(make("div", { class: "panel" }, control, make("div", { class: "beside" }, svg, make("div", {},
    legend(["uncond", "cond", "guided"].map((name) => [name, say(`guide_${name}`)])), values, note)),
    make("p", { class: "finding" }, course(data))));
  control.begin();
  if (data.strip) place.append(make("h3", {}, say("guide_strip")), scales(data));
};

// How far apart both answers, and the images x₀ that they say, are over the steps of this run.
function course({ steps, kind }) {
  const x0 = steps.map((step) => step.apart_x0), answers = steps.map((step) => step.apart), most = x0.indexOf(Math.max(...x0));
  const closest = answers.indexOf(Math.min(...answers)), last = answers.at(-1), factor = (i) => number(answers[i] / x0[i], 2);
  return [say("guide_course", { most: most + 1, x: number(x0[most]), last: number(x0.at(-1)) }), last > 1.1 * answers[closest]
    ? say("guide_rise", { i: closest + 1, x: number(answers[closest]), last: number(last), factor: say(`factor_${kind}`), before: factor(closest), after: factor(answers.length - 1) }) : ""].join(" ");
}

function scaled({ strip }, scale, alt) {
  const image = sprite(strip.images, alt);
  image.show(strip.scales.indexOf(scale));
  return image;
}

// The images with and without guidance, their difference, and what they say in words.
function result(data) {
  const { scale, strip: { scales, right, change } } = data;
  const named = (wanted) => scales.filter((_, i) => right[i] === wanted).map((one) => number(one)).join(", ");
  const plain = say("guide_plain"), own = say("guide_own", { scale: number(scale) }), difference = say("guide_difference");
  const sentences = [say("guide_change", { scale: number(scale), percent: number(change.percent, 2), levels: number(change.levels, 2) }),
    !right ? "" : !named(false) ? say("guide_judge_all") : !named(true) ? say("guide_judge_none") : say("guide_judge", { right: named(true), wrong: named(false) })];
  return make("div", { class: "result" }, make("div", { class: "images three" }, figure(plain, scaled(data, 1, plain)),
    figure(difference, make("img", { class: "sharp", src: change.image, alt: difference })), figure(own, scaled(data, scale, own))),
  make("p", { class: "finding" }, sentences.join(" ")));
}

function scales(data) {
  const { scale, strip: { scales, right } } = data;
  return make("div", { class: "scales" }, scales.map((one, i) => {
    const text = one === 0 ? say(DATA.views.header.negative ? "guide_negative" : "guide_no_prompt") : number(one) + (one === scale ? ` · ${say("guide_this")}` : "");
    const sign = right && make("span", { class: right[i] ? "right" : "wrong", role: "img", "aria-label": say(right[i] ? "yes" : "no") }, right[i] ? "✓" : "✗");
    return figure(right ? [sign, ` ${text}`] : text, scaled(data, one, text));
  }));
}
