"use strict";

VIEWS.film = (data, place) => {
  const names = ["x", "uncond", "cond", "guided"].filter((name) => name in data.rows);
  const shown = names.map((name) => sprite(data.rows[name])), last = data.steps.length - 1;
  const note = make("p", { class: "note" }), curve = make("div");
  const strip = picker(say("film_strip"), data.steps.map((step, i) => {
    const frame = sprite(data.rows[names.at(-1)], say("film_alt", { what: say(`film_${names.at(-1)}`), i: step }));
    frame.show(i);
    return make("span", {}, frame, make("small", {}, step));
  }), (i) => { if (i !== Number(control.input.value)) { stop(); control.set(i); } });
  const control = slider(say("film_step"), data.steps.length, 0, (i) => say("of", { i: data.steps[i], n: data.total }), (i) => {
    names.forEach((name, j) => shown[j].show(i, say("film_alt", { what: say(`film_${name}`), i: data.steps[i] })));
    mark.setAttribute("cx", plot.atX(data.steps[i]));
    mark.setAttribute("cy", plot.atY(data.change[i]));
    note.textContent = `t = ${number(data.t[i])}, α = ${number(data.alpha[i])}, σ = ${number(data.sigma[i])}`;
    strip.pick(i);
  });
  let timer = null;
  const button = make("button", { type: "button", class: "play", onclick: () => timer ? stop() : play() }, say("play"));
  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = say("play");
  }
  function play() {
    if (Number(control.input.value) === last) control.set(0);
    button.textContent = say("pause");
    timer = setInterval(() => {
      const next = Number(control.input.value) + 1;
      if (next <= last) control.set(next);
      if (next >= last) stop();
    }, Math.max(120, 4000 / (last + 1)));
  }
  const panel = make("div", { class: "panel film", tabindex: 0, role: "group", "aria-label": say("hint_keys") },
    make("div", { class: "controls" }, button, control),
    make("div", { class: `images ${names.length === 4 ? "four" : "two"}` }, names.map((name, j) => {
      const made = figure(say(`film_${name}`), shown[j]);
      made.className = name;
      return made;
    })), note, answer(data), curve, make("h3", {}, say("film_strip")), strip, make("p", { class: "keys" }, say("hint_keys")));
  place.append(panel);
  panel.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === " " && event.target.tagName !== "BUTTON") { timer ? stop() : play(); event.preventDefault(); }
    if (step && event.target === panel) {
      stop();
      control.set(Math.min(last, Math.max(0, Number(control.input.value) + step)));
      event.preventDefault();
    }
  });
  const most = Math.max(...data.change, 1e-6);
  const plot = chart(curve, { x: [1, Math.max(2, data.total)], y: [0, 1.1 * most], width: 952, height: 150,
    xTicks: [1, ...ticks(2, Math.max(2, data.total))], yTicks: ticks(0, most, 4), xLabel: say("film_step"), yLabel: say("film_change"), alt: say("film_change_alt") });
  plot.area(data.steps.map((step, i) => [step, data.change[i]]), "guided");
  const mark = plot.dot(1, 0, "guided", 5), rising = data.steps.filter((_, i) => data.change[i] > data.change[i - 1]);
  if (rising.length) curve.append(make("p", { class: "note" }, say("film_rise", { steps: rising.join(", ") })));
  control.set(Math.round(last / 4));
};

// What the UNet answers, and what is peculiar to this run.
function answer(data) {
  return make("p", { class: "finding" }, [say("film_answer", { answer: say(`answer_${data.kind}`), x0: say(`x0_${data.kind}`) }),
    data.rows.uncond ? say("film_steered") : "", data.replaced ? say("film_replaced", { ratio: number(1 / data.replaced, 4) }) : ""].join(" "));
}
