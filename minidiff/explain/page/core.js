"use strict";
// What the views share: elements, words, images in strips, sliders and choices, packed values, source code.

const DATA = JSON.parse(document.getElementById("data").textContent);
const VIEWS = {};
const SVG = document.querySelector("svg").namespaceURI;  // so that this file holds no address

function say(key, values = {}) {
  return DATA.words[key].replace(/\{(\w+)\}/g, (whole, name) => name in values ? values[name] : whole).replaceAll(" %", "\u00a0%");
}

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

function make(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

function shape(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

function figure(caption, ...children) {
  return make("figure", {}, ...children, make("figcaption", {}, ...[caption].flat()));
}

// What may be wider than a phone; the keyboard can scroll it.
function wide(label, ...children) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);
}

// An image of a strip {uri, count, width, height}; `show(i, alt)` chooses which. It stays sharp when enlarged.
function sprite(strip, alt = "") {
  const canvas = make("canvas", { width: strip.width, height: strip.height, role: "img", "aria-label": alt });
  const image = new Image();
  let current = 0;
  const paint = () => canvas.getContext("2d").drawImage(
    image, current * strip.width, 0, strip.width, strip.height, 0, 0, strip.width, strip.height);
  image.onload = paint;
  image.src = strip.uri;
  canvas.show = (i, text) => {
    current = i;
    if (text) canvas.setAttribute("aria-label", text);
    if (image.complete) paint();
  };
  canvas.ready = image.decode().then(paint, () => {});
  return canvas;
}

// A labelled slider over 0 ... count − 1; arrow keys move it. `set(i)` moves it from elsewhere; `ends` name its ends.
function slider(label, count, start, describe, change, ends = []) {
  const input = make("input", { type: "range", min: 0, max: count - 1, value: start, step: 1, "aria-label": label });
  const output = make("output");
  const update = () => {
    const i = Number(input.value);
    output.textContent = describe(i);
    input.setAttribute("aria-valuetext", describe(i));
    input.style.setProperty("--done", `${count > 1 ? 100 * i / (count - 1) : 100}%`);
    change(i);
  };
  input.addEventListener("input", update);
  const [low, high] = ends.map((text) => make("small", {}, text));
  const node = make("label", { class: "slider" }, make("span", {}, label), low || null, input, high || null, output);
  node.input = input;
  node.set = (i) => { input.value = i; update(); };
  node.begin = update;
  return node;
}

// A labelled choice among texts.
function choice(label, texts, change) {
  const select = make("select", { "aria-label": label }, texts.map((text, i) => make("option", { value: i }, text)));
  select.addEventListener("change", () => change(Number(select.value)));
  const node = make("label", { class: "choice" }, make("span", {}, label), select);
  node.set = (i) => { select.value = i; change(i); };
  return node;
}

// Buttons of which one is pressed; arrow keys go from one to the next.
function picker(label, nodes, change, start = 0) {
  const buttons = nodes.map((node, i) => make("button", { type: "button", "aria-pressed": "false",
    onclick: () => pick(i) }, node));
  function pick(i) {
    buttons.forEach((button, j) => button.setAttribute("aria-pressed", String(i === j)));
    change(i);
  }
  const group = make("div", { class: "picker", role: "group", "aria-label": label }, buttons);
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const now = buttons.indexOf(document.activeElement);
    if (step && buttons[now + step]) { buttons[now + step].focus(); pick(now + step); event.preventDefault(); }
  });
  group.begin = () => pick(start);
  group.pick = pick;
  return group;
}

// Bytes in base64 with a shape: `at(i, j, ...)` is the value there.
function unpack(packed) {
  const text = atob(packed.bytes);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const strides = packed.shape.map((_, axis) => packed.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const at = (...index) => bytes[index.reduce((sum, i, axis) => sum + i * strides[axis], 0)] * packed.top / 255;
  return { shape: packed.shape, bytes, strides, top: packed.top, at };
}

function number(x, digits = 3) {
  if (x === null) return "–";
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return x.toExponential(1).replace("-", "−").replace("+", "");
  return Number(x.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 20 }).replace("-", "−");
}

function facts(pairs) {
  return make("dl", { class: "facts" }, pairs.map(([name, value]) => make("div", {}, make("dt", {}, name),
    make("dd", {}, value))));
}

function token(text) {
  return text.replace("<|startoftext|>", say("start")).replace("<|endoftext|>", say("end")).replace("</w>", "");
}

// The lines of a function, those of its backward function marked; it ends where the indentation does.
function listing(source, from = source.line) {
  let depth = null;
  return source.code.split("\n").map((line, i) => {
    const indent = line.search(/\S/);
    if (/^\s*def backward\b/.test(line)) depth = indent;
    else if (depth !== null && indent >= 0 && indent <= depth) depth = null;
    return make("span", { class: depth === null ? "forward" : "backward" }, make("i", {}, String(from + i)), line + "\n");
  });
}

function showSource(source) {
  document.getElementById("code-title").textContent = `${source.file}:${source.line}`;
  document.querySelector("#code pre").replaceChildren(...listing(source));
  document.getElementById("code").showModal();
}

function sourceButton(source) {
  return make("button", { type: "button", class: "source", onclick: () => showSource(source) },
    make("b", {}, source.name), ` ${source.file}:${source.line}`);
}
