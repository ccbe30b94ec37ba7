"use strict";

VIEWS.noise = (data, place) => {
  const pixels = sprite(data.pixels), decoded = sprite(data.decoded), channels = data.channels.map((strip) => sprite(strip));
  const values = make("div");
  const curves = make("div");
  const control = slider(say("noise_time"), data.times.length, Math.floor(data.times.length / 3), (i) => `t = ${data.times[i]}`, (i) => {
    const t = data.times[i];
    pixels.show(i, say("noise_alt", { t }));
    decoded.show(i, say("noise_alt", { t }));
    channels.forEach((channel, c) => channel.show(i, say("channel_alt", { c: c + 1, t })));
    const ratio = data.decibels[i] === null ? say(data.sigma[i] > 0.5 ? "noise_none" : "noise_only") : say("db", { x: number(data.decibels[i]) });
    values.replaceChildren(facts([[say("noise_alpha"), number(data.alpha[i])], [say("noise_sigma"), number(data.sigma[i])],
      [say("noise_snr"), ratio]]));
    marker.setAttribute("x1", plot.atX(t));
    marker.setAttribute("x2", plot.atX(t));
    alpha.setAttribute("cx", plot.atX(t));
    alpha.setAttribute("cy", plot.atY(data.alpha[i]));
    sigma.setAttribute("cx", plot.atX(t));
    sigma.setAttribute("cy", plot.atY(data.sigma[i]));
  }, [say("image"), say("plane_time")]);
  place.append(make("div", { class: "panel" }, control, make("div", { class: "images three" },
    figure(say("noise_pixels"), pixels), figure(say("noise_decoded"), decoded),
    figure(say("noise_channels", { n: channels.length }), make("div", { class: "channels" }, channels))), values, curves));
  const plot = chart(curves, { ...timeAxis(data.last), y: [0, 1.02], yTicks: [0, 0.5, 1], height: 200, width: 900,
    yLabel: say("noise_factor"), alt: say("noise_curve_alt") });
  for (const name of ["alpha", "sigma"]) plot.line(data.curve.t.map((t, i) => [t, data.curve[name][i]]), name === "alpha" ? "cond" : "noise");
  const marker = plot.upright(0), alpha = plot.dot(0, 0, "cond", 5), sigma = plot.dot(0, 0, "noise", 5);
  curves.append(legend([["cond", say("noise_alpha")], ["noise", say("noise_sigma")]]));
  control.begin();
};
