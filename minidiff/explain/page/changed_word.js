"use strict";

VIEWS.changed_word = (data, place) => {
  const cells = unpack(data.cells), [stages, steps] = cells.shape, films = data.films.map((film) => sprite(film));
  const note = make("p", { class: "note", "aria-live": "polite" });
  const words = data.prompts.map((prompt) => prompt.split(" "));
  const marked = words.map((own, i) => own.flatMap((word, j) => [word === words[1 - i][j] ? word : make("mark", {}, word), " "]));
  const grid = make("div", { class: "cells", role: "img", "aria-label": say("changed_alt"), style: `--n:${steps}` });
  const describe = (s, i) => say("changed_cell", { stage: data.stages[s], i: i + 1, x: number(cells.at(s, i), 2) });
  const columns = Array.from({ length: steps }, () => []);
  grid.append(make("span", { class: "column-name" }, say("changed_columns")), ...Array.from({ length: steps }, (_, i) =>
    make("span", { class: "column" }, i === 0 || (i + 1) % (steps > 12 ? 5 : 1) === 0 || i === steps - 1 ? String(i + 1) : "")));
  data.stages.forEach((stage, s) => {
    grid.append(make("span", { class: stage.includes("attentions") ? "reads" : "" }, stage));
    for (let i = 0; i < steps; i += 1) {
      const value = cells.at(s, i), cell = make("b", { style: `--w:${(value / cells.top).toFixed(3)}`, title: describe(s, i),
        onpointerenter: () => { note.textContent = describe(s, i); } });
      columns[i].push(cell);
      grid.append(cell);
    }
  });
  const control = slider(say("changed_step"), data.steps.length, Math.floor(data.steps.length / 3), (i) => say("of", { i: data.steps[i], n: steps }), (i) => {
    const step = data.steps[i] - 1;
    films.forEach((film, j) => film.show(i, say("changed_film_alt", { prompt: data.prompts[j], i: step + 1 })));
    columns.forEach((column, j) => column.forEach((cell) => cell.classList.toggle("here", j === step)));
    note.textContent = `${say("changed_curve")}: ${number(data.x[step], 2)}`;
  });
  place.append(make("div", { class: "panel changed" }, control, make("div", { class: "pair" }, films.map((film, j) => {
    const made = figure("", film);
    made.lastChild.replaceChildren(`${say("changed_film")} `, ...marked[j]);
    return made;
  })), note, wide(say("changed_alt"), grid), scale(say("changed_equal"), say("changed_most", { x: number(cells.top, 2) }))),
    make("p", { class: "finding" }, jump(data)));
  control.begin();
};

// The largest difference, and why it need not be that of the stage before.
function jump({ jump: { stage, step, after, before }, stages }) {
  return [say("changed_jump", { stage: stages[stage], step, after: number(after, 2) }), before > 0 && after > 1.5 * before
    ? say("changed_why", { before: number(before, 2), name: stages[stage - 1] }) : ""].join(" ");
}

// The colours of cells, from 0 to their largest value, with its ends named.
function scale(low, high, kind = "guided") {
  return make("p", { class: `scale ${kind}` }, make("span", {}, low), make("i"), make("span", {}, high));
}
