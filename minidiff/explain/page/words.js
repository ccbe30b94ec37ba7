"use strict";

VIEWS.words = (data, place) => {
  place.append(merges(data), tokens(data), data.attention ? listening(data) : make("p", { class: "missing" }, say("causal_none")));
};

// One row per word: its symbols after each merge, chosen by a slider.
function merges(data) {
  const rows = make("div", { class: "merges" });
  const control = slider(say("merges"), data.most, 0, (i) => i ? say("merge_step", { i, n: data.most - 1 }) : say("merge_start"), (i) => {
    rows.replaceChildren(...data.words.map((word) => {
      const symbols = word.merges[Math.min(i, word.merges.length - 1)];
      return make("span", { class: i >= word.merges.length - 1 ? "whole" : "" }, symbols.map((symbol) =>
        make("b", {}, symbol.endsWith("</w>") ? [symbol.slice(0, -4), make("sub", {}, "␣")] : symbol)));
    }));
  });
  control.begin();
  return make("div", { class: "panel" }, control, rows);
}

function tokens(data) {
  const rest = data.ids.length - data.used;
  const row = (i) => make("tr", {}, make("th", { scope: "row" }, token(data.tokens[i])), make("td", { class: "id" }, data.ids[i]),
    ...["table", "context"].map((name) => make("td", { class: "strip" }, make("img", { class: "sharp", src: data[name][i],
      alt: say("vector_alt", { width: data.width, token: token(data.tokens[i]) }) }))));
  return make("div", { class: "panel" }, wide(say("token_table"), make("table", { class: "tokens" },
    make("thead", {}, make("tr", {}, ["token", "id", "own_vector", "after_encoder"].map((key) => make("th", { scope: "col" }, say(key))))),
    make("tbody", {}, data.tokens.map((_, i) => row(i))),
    rest ? make("tfoot", {}, make("tr", {}, make("td", { colspan: 4 }, say("padding", { n: rest })))) : null)),
    data.used > 1 ? make("p", { class: "finding" }, say("vectors_alike", { a: token(data.tokens[data.alike.pair[0]]), b: token(data.tokens[data.alike.pair[1]]),
      own: number(data.alike.own), read: number(data.alike.read) })) : null);
}

// The causal attention of the text encoder, a square of weights; layer and head can be chosen.
function listening(data) {
  const weights = unpack(data.attention), [layers, heads, size] = weights.shape;
  const names = data.tokens.map(token), now = { layer: -1, head: -1 };
  const note = make("p", { class: "note", "aria-live": "polite" }, say("causal_note"));
  const grid = make("div", { class: "causal", role: "img", "aria-label": say("causal_alt"), style: `--n:${size}` });
  const every = (chosen, count) => chosen < 0 ? [...Array(count).keys()] : [chosen];
  const mean = (i, j) => {
    const values = every(now.layer, layers).flatMap((l) => every(now.head, heads).map((h) => weights.at(l, h, i, j)));
    return values.reduce((a, b) => a + b, 0) / values.length;
  };
  const paint = () => {
    const cells = [make("i")].concat(names.map((name) => make("span", { class: "column" }, name)));
    names.forEach((name, i) => {
      cells.push(make("span", { class: "row" }, name));
      names.forEach((other, j) => {
        const w = mean(i, j);
        cells.push(make("b", { class: j > i ? "masked" : "", style: `--w:${Math.sqrt(w).toFixed(3)}`,
          title: say("causal_cell", { a: name, b: other, w: number(w, 2) }),
          onpointerenter: () => { note.textContent = say("causal_cell", { a: name, b: other, w: number(w, 2) }); } }));
      });
    });
    grid.replaceChildren(...cells);
  };
  const all = (count) => [say("causal_all"), ...Array.from({ length: count }, (_, i) => String(i + 1))];
  paint();
  return make("div", { class: "panel" }, make("h3", {}, say("causal")), make("div", { class: "controls" },
    choice(say("causal_layer"), all(layers), (i) => { now.layer = i - 1; paint(); }),
    choice(say("causal_head"), all(heads), (i) => { now.head = i - 1; paint(); })), grid,
    scale("0", say("causal_scale"), "cond"), note);
}
