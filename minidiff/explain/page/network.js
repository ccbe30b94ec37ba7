"use strict";

VIEWS.network = (data, place) => {
  const stages = data.stages, heights = [...new Set(stages.map((stage) => stage.shape[0]))].sort((a, b) => b - a);
  const step = Math.max(22, Math.min(44, (Math.max(place.clientWidth, 640) - 60) / stages.length));
  // Above each row is room for its skip connections, one over the other.
  const over = heights.map((size) => data.skips.filter(([, to]) => stages[to].shape[0] === size));
  const tops = heights.map((_, i) => 14 + over.slice(0, i + 1).reduce((sum, inside) => sum + 10 * inside.length, 0) + 62 * i);
  const width = 60 + step * stages.length, height = tops.at(-1) + 52;
  const row = (stage) => tops[heights.indexOf(stage.shape[0])];
  const most = Math.max(...stages.map((stage) => stage.milliseconds));
  const svg = shape("svg", { class: "network", viewBox: `0 0 ${width} ${height}`, role: "group", style: `min-width:${width}px`,
    "aria-label": say("net_diagram_alt") });
  heights.forEach((size, i) => svg.append(shape("text", { class: "tick", x: 0, y: tops[i] + 20 }, `${size} × ${size}`)));
  const x = (i) => 56 + i * step, centre = (i) => x(i) + step / 2 - 3;
  const tall = (stage) => 12 + 24 * stage.milliseconds / most;
  over.forEach((inside) => inside.forEach(([from, to], i) => {
    const y = row(stages[to]) - 8 - 10 * i, [start, end] = [from, to].map((j) => row(stages[j]) + 16 - tall(stages[j]) / 2);
    svg.append(shape("path", { class: "skip", d: `M${centre(from)} ${start}V${y + 6}q0 -6 6 -6H${centre(to) - 6}q6 0 6 6V${end - 5}` }),
      shape("path", { class: "skip-head", d: `M${centre(to)} ${end - 1}l-3.5 -7h7z` }));
  }));
  stages.slice(1).forEach((stage, i) => svg.append(shape("line", { class: "wire", x1: centre(i), y1: row(stages[i]) + 16,
    x2: centre(i + 1), y2: row(stage) + 16 })));
  const panel = make("div", { class: "stage", "aria-live": "polite" });
  const blocks = stages.map((stage, i) => {
    const block = shape("rect", { class: `block ${stage.kind}`, x: x(i), y: row(stage) + 16 - tall(stage) / 2, width: step - 6, height: tall(stage), rx: 4,
      tabindex: i ? -1 : 0, role: "button", "aria-label": `${stage.name}, ${stage.kind}, ${stage.shape.join(" × ")}`, onclick: () => pick(i) });
    block.append(shape("title", {}, `${stage.name} · ${stage.kind}`));
    return block;
  });
  svg.append(...blocks);
  function pick(i, focus = false) {
    const stage = stages[i], source = data.kinds[stage.kind];
    blocks.forEach((block, j) => { block.setAttribute("aria-pressed", String(i === j)); block.setAttribute("tabindex", i === j ? 0 : -1); });
    if (focus) blocks[i].focus();
    const maps = Array.from({ length: stage.maps.count }, (_, c) => {
      const map = sprite(stage.maps, say("net_alt", { c: c + 1, name: stage.name }));
      map.show(c);
      return map;
    });
    panel.replaceChildren(make("div", {}, make("h3", {}, make("code", {}, stage.name), " ", make("small", {}, stage.kind)),
      facts([[say("net_shape"), stage.shape.join(" × ")], [say("net_parameters"), stage.parameters.toLocaleString("en")],
        [say("net_time"), say("net_ms", { x: number(stage.milliseconds, 2) })], [say("net_size"), number(stage.size, 2)]]),
      make("p", { class: "note" }, say("net_maps", { i: data.step })), make("div", { class: "maps" }, maps)),
      make("div", { class: "listing" }, legend([["forward", say("net_forward")], ["backward", say("net_backward")]]),
        sourceButton(source), make("pre", { tabindex: 0 }, ...listing(source))));
  }
  svg.addEventListener("keydown", (event) => {
    const now = blocks.indexOf(document.activeElement), next = now + ({ ArrowRight: 1, ArrowLeft: -1 }[event.key] || 0);
    if (now < 0) return;
    if (next !== now && blocks[next]) { pick(next, true); event.preventDefault(); }
    if (event.key === "Enter" || event.key === " ") { pick(now); event.preventDefault(); }
  });
  const kinds = [...new Set(stages.map((stage) => stage.kind))];
  place.append(make("div", { class: "panel" }, legend([...kinds.map((kind) => [kind, kind]), ["line-skip", say("net_skip", { n: data.skips.length })]]), make("div", { class: "scroll" }, svg), panel));
  pick(Math.max(0, stages.findIndex((stage) => stage.kind === "SpatialTransformer")));
};
