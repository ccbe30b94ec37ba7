"use strict";

VIEWS.network = (data, place) => {
  const stages = data.stages, heights = [...new Set(stages.map((stage) => stage.shape[0]))].sort((a, b) => b - a);
  const gap = 34, step = Math.max(22, Math.min(44, (Math.max(place.clientWidth, 640) - 60) / stages.length));
  const width = 60 + step * stages.length, height = 40 + heights.length * (gap + 34);
  const row = (stage) => 30 + heights.indexOf(stage.shape[0]) * (gap + 34);
  const most = Math.max(...stages.map((stage) => stage.milliseconds));
  const svg = shape("svg", { class: "network", viewBox: `0 0 ${width} ${height}`, role: "group", style: `min-width:${width}px`,
    "aria-label": say("net_diagram_alt") });
  heights.forEach((size, i) => svg.append(shape("text", { class: "tick", x: 0, y: 36 + i * (gap + 34) + 12 }, `${size} × ${size}`)));
  const x = (i) => 56 + i * step;
  const middle = stages.findIndex((stage) => stage.name.startsWith("mid_block"));
  heights.slice(0, -1).forEach((size, i) => {
    const down = stages.findLastIndex((stage, j) => j < middle && stage.shape[0] === size && stage.kind !== "Downsample");
    const up = stages.findIndex((stage, j) => j > middle && stage.shape[0] === size && stage.kind === "ResBlock");
    if (down >= 0 && up >= 0) svg.append(shape("line", { class: "skip", x1: x(down) + step - 6, x2: x(up), y1: 46 + i * (gap + 34), y2: 46 + i * (gap + 34) }));
  });
  stages.slice(1).forEach((stage, i) => svg.append(shape("line", { class: "wire", x1: x(i) + step / 2 - 3, y1: row(stages[i]) + 16,
    x2: x(i + 1) + step / 2 - 3, y2: row(stage) + 16 })));
  const panel = make("div", { class: "stage", "aria-live": "polite" });
  const blocks = stages.map((stage, i) => {
    const tall = 12 + 24 * stage.milliseconds / most;
    const block = shape("rect", { class: `block ${stage.kind}`, x: x(i), y: row(stage) + 16 - tall / 2, width: step - 6, height: tall, rx: 4,
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
  place.append(make("div", { class: "panel" }, legend(kinds.map((kind) => [kind, kind])), make("div", { class: "scroll" }, svg), panel));
  pick(Math.max(0, stages.findIndex((stage) => stage.kind === "SpatialTransformer")));
};
