"use strict";

VIEWS.attention = (data, place) => {
  const layers = data.layers.map((layer) => ({ ...layer, ...unpack(layer.maps) }));
  const side = layers.reduce((most, layer) => layer.shape[3] > most[0] ? [layer.shape[3], layer.shape[4]] : most, [0, 0]);
  const now = { token: 1, layer: -1, head: -1, step: -1 };
  const every = (chosen, count) => chosen < 0 ? [...Array(count).keys()] : [chosen];

  // The mean of the chosen weights, on the finest grid of all layers; coarser ones are repeated.
  const heat = (token) => {
    const [height, width] = side, sum = new Float32Array(height * width);
    let count = 0;
    for (const layer of every(now.layer, layers.length).map((i) => layers[i])) {
      const [steps, heads, , p, q] = layer.shape;
      for (const s of every(now.step, steps)) for (const h of every(now.head, heads)) {
        const base = s * layer.strides[0] + h * layer.strides[1] + token * layer.strides[2], factor = layer.top / 255;  // of roots
        for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) {
          sum[y * width + x] += (factor * layer.bytes[base + Math.floor(y * p / height) * q + Math.floor(x * q / width)]) ** 2;
        }
        count += 1;
      }
    }
    return sum.map((value) => value / count);
  };

  const image = new Image();
  image.src = DATA.views.header.image;
  const paint = (canvas, token) => {
    const [height, width] = side, values = heat(token), top = Math.max(...values), low = Math.min(...values);
    const small = make("canvas", { width, height }), pixels = small.getContext("2d").createImageData(width, height);
    values.forEach((value, i) => pixels.data.set([...glow((value - low) / (top - low || 1))], 4 * i));
    small.getContext("2d").putImageData(pixels, 0, 0);
    const context = canvas.getContext("2d"), n = canvas.width, m = canvas.height;
    context.filter = "grayscale(1) brightness(0.55)";
    context.imageSmoothingEnabled = image.naturalWidth > n;
    context.drawImage(image, 0, 0, n, m);
    context.filter = "none";
    context.imageSmoothingEnabled = true;
    context.globalCompositeOperation = "screen";
    context.drawImage(small, 0, 0, n, m);
    context.globalCompositeOperation = "source-over";
    return say("att_range", { low: number(Number((100 * low).toFixed(1))), top: number(Number((100 * top).toFixed(1))) });
  };
  const canvas = (token, size) => make("canvas", { width: size, height: Math.round(size * side[0] / side[1]), role: "img",
    "aria-label": say("att_alt", { token: data.tokens[token] }) });
  const words = data.tokens.map(token);
  const minis = words.map((_, i) => canvas(i, 96)), large = canvas(1, 384), ranges = words.map(() => make("small"));
  const boxes = make("div", { class: "boxes" });
  const repaint = () => {
    minis.forEach((mini, i) => { ranges[i].textContent = paint(mini, i); });
    paint(large, now.token);
    large.setAttribute("aria-label", say("att_alt", { token: words[now.token] }));
    boxes.replaceChildren(...data.overlaps.filter((one) => one.token === now.token).map((one) => {
      const [left, top, right, bottom] = one.box.map((edge) => 100 * edge);
      return make("i", { class: "box", style: `left:${left}%;top:${top}%;width:${right - left}%;height:${bottom - top}%` });
    }));
  };
  const words_ = picker(say("att_token"), words.map((word, i) => make("span", {}, minis[i], make("small", {}, word), ranges[i])), (i) => {
    now.token = i;
    repaint();
  }, Math.min(1, words.length - 1));
  const all = (names) => [say("att_all"), ...names];
  const numbers = (count) => Array.from({ length: count }, (_, i) => String(i + 1));
  const layer = choice(say("att_layer"), all(layers.map((one) => `${one.name}  ${one.shape[3]} × ${one.shape[4]}`)), (i) => { now.layer = i - 1; repaint(); });
  const head = choice(say("att_head"), all(numbers(layers[0].shape[1])), (i) => { now.head = i - 1; repaint(); });
  const step = slider(say("att_step"), data.steps.length + 1, 0, (i) => i ? String(data.steps[i - 1]) : say("att_all"), (i) => { now.step = i - 1; repaint(); });
  place.append(make("div", { class: "panel" }, make("div", { class: "controls" }, layer, layers[0].shape[1] > 1 ? head : null, step),
    make("div", { class: "beside heat" }, make("div", { class: "image" }, large, boxes), words_), make("p", { class: "note" }, say("att_scale")),
    make("p", { class: "finding" }, say("att_received", percents(data.received, 2)), " ", data.padding ? say("att_padding", { n: data.padding }) : "")));
  const choose = (one) => {
    layer.set(one.best.layer + 1);
    head.set(one.best.head + 1);
    words_.pick(one.token);
  };
  const sharpest = [...data.overlaps].sort((a, b) => b.best.inside - b.best.start - a.best.inside + a.best.start)[0] || data.sharpest;
  image.decode().then(() => { step.begin(); sharpest ? choose(sharpest) : words_.begin(); }, () => {});
  if (data.overlaps.length) {
    place.append(make("h3", {}, say("att_overlap")), legend([["guided", say("att_bar_mean")], ["best", say("att_bar_best")], ["chance-mark", say("att_bar_area")],
      ["", say("att_bar_gain")]]), make("p", { class: "note" }, say("att_heads", { n: data.heads })), make("ul", { class: "bars" }, data.overlaps.map((one) =>
      make("li", {}, make("span", {}, say("att_row", { ...one, ...percents({ inside: one.inside, area: one.area }) }), " ",
        make("button", { type: "button", class: "link", onclick: () => { choose(one); place.scrollIntoView({ block: "start" }); } }, say("att_best", { layer: data.layers[one.best.layer].name,
          head: one.best.head + 1, ...percents({ inside: one.best.inside, start: one.best.start }) }))),
        make("i", { class: "bar guided", style: `--x:${100 * one.inside}%;--best:${100 * one.best.inside}%;--mark:${100 * one.area}%` }),
        make("b", {}, say("att_gain", { x: number(one.gain, 2) }))))));
  } else place.append(make("p", { class: "note" }, say(data.scene ? "att_none" : "att_no_scene")));
};

function percents(fractions, digits = 3) {
  return Object.fromEntries(Object.entries(fractions).map(([name, x]) => [name, number(100 * x, digits)]));
}

// Black over orange to white.
function glow(value) {
  const x = value ** 1.5;
  return [255 * Math.min(1, 1.6 * x), 255 * Math.max(0, 1.5 * x - 0.35), 255 * Math.max(0, 2.2 * x - 1.3), 255];
}
