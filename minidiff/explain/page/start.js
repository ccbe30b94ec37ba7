"use strict";
// Draw every view, say what is missing, and link each to its source.

for (const [name, data] of Object.entries(DATA.views)) {
  const section = document.getElementById(name), place = section.querySelector(".view");
  if (data.missing) place.append(make("p", { class: "missing" }, say(data.missing)));
  else VIEWS[name](data, place);
  section.querySelector(".where").append(`${say("source")}: `, ...data.sources.map(sourceButton));
}

document.getElementById("code-close").addEventListener("click", () => document.getElementById("code").close());
document.getElementById("code").addEventListener("click", (event) => {
  if (event.target.id === "code") event.target.close();
});

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement, dark = getComputedStyle(root).colorScheme.trim() === "dark";
  root.dataset.theme = dark ? "light" : "dark";
});

const links = new Map([...document.querySelectorAll(".rail a")].map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) links.get(entry.target.id).classList.toggle("here", entry.isIntersecting);
}, { rootMargin: "-40% 0px -55% 0px" });
document.querySelectorAll("main > section").forEach((section) => watcher.observe(section));
document.documentElement.dataset.ready = "yes";
