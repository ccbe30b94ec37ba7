"""The page in one file: the template, its stylesheet and scripts, the words, and the data of every view as JSON."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

from ..backend import device_of
from ..pipeline import Pipeline
from . import (
    attention,
    backwards,
    changed_word,
    film,
    guidance,
    header,
    losses,
    network,
    noise,
    paths,
    plane,
    training,
    words,
)
from .labels import LABELS
from .run import About, Run, observe
from .sources import source_of
from .wording import VIEWS

DRAWN = (header, words, noise, film, guidance, attention, network, paths, plane, losses, changed_word, training,
         backwards)


def explain(pipe: Pipeline, prompt: str, seed: int, options: dict, about: About) -> Iterator[tuple[str, str | None]]:
    """Yields the name of each view that is done, and at the end ("page", HTML). `options` are `Pipeline.stream`'s.

    Views of one image leave cores idle, so on a CPU two are computed at a time.
    """
    learned = training.view(about)  # first, as it fails where there is no run
    run = observe(pipe, about, prompt, seed, options)
    run.prepare()
    with ThreadPoolExecutor(2 if device_of(pipe.unet.conv_in.weight.value) == "cpu" else 1) as pool:
        views = {name_of(module): pool.submit(module.view, run) for module in DRAWN if module is not training}
        for name, view in views.items():
            view.result()
            yield name, None
    found = {name: view.result() for name, view in views.items()} | {"training": learned}
    yield "page", page({name_of(module): {"sources": list(map(source_of, module.SOURCES))} | found[name_of(module)]
                        for module in DRAWN}, run)


def name_of(module) -> str:
    return module.__name__.rpartition(".")[2]


def page(data: dict, run: Run) -> str:
    labels = ("light_dark", "contents", "close", "no_script")
    parts = {
        "TITLE": html.escape(f"{run.prompt} · minidiff explain"), "PROMPT": html.escape(run.prompt),
        "LINKS": "\n".join(link(number, name) for number, name in enumerate(data, 1)),
        "SECTIONS": "\n".join(section(number, name, run) for number, name in enumerate(data, 1) if name != "header"),
        "STYLE": asset("style.css") + asset("views.css"),
        "SCRIPT": "\n".join(asset(f"{name}.js") for name in ("core", "chart", *data, "start")),
        "DATA": json.dumps({"views": data, "words": {key: numbered(text) for key, text in LABELS.items()}},
                           ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        **{f"LABEL_{name}": html.escape(LABELS[name]) for name in labels},
        "HEADER_TITLE": html.escape(VIEWS["header"][0]), "HEADER_SEE": html.escape(VIEWS["header"][1]),
        "FOOTER": html.escape(LABELS["footer"].format(command=run.about.command)),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], asset("template.html"))


def section(number: int, name: str, run: Run) -> str:
    title, see, more = VIEWS[name]
    more = linked(html.escape(more.format(size=f"{run.noise.size:,}") if "{size}" in more else more))
    return f"""<section id="{name}" aria-labelledby="{name}-title">
  <div class="text">
    <p class="number" aria-hidden="true">{number}</p>
    <h2 id="{name}-title">{html.escape(title)}</h2>
    <p class="see">{html.escape(see)}</p>
    <p>{more}</p>
  </div>
  <div class="view"></div>
  <p class="where"></p>
</section>"""


def link(number: int, name: str) -> str:
    title = html.escape(VIEWS[name][0])
    return f'<li><a href="#{name}" title="{title}"><span>{number}</span> {title}</a></li>'


def numbered(text: str) -> str:
    """Words in which "[guidance]" stands for the number of that view."""
    return re.sub(r"\[(\w+)\]", lambda found: f"view {list(VIEWS).index(found[1]) + 1}", text)


def linked(text: str) -> str:
    """The same as a link."""
    return re.sub(r"\[(\w+)\]", lambda found: f'<a href="#{found[1]}">{numbered(found[0])}</a>', text)


def asset(name: str) -> str:
    return (resources.files(__package__) / "page" / name).read_text("utf-8")


def write_page(text: str, path: Path) -> None:
    from ..writing import new_file

    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
