"""The page is one file that asks nothing of the network, in light, and works in a browser."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from chromium import PROGRAM, browser
from explained_page import SEED
from tiny_pipeline import WORDS, tiny_pipeline

import minidiff
from minidiff.explain import run as run_module
from minidiff.explain.labels import LABELS
from minidiff.explain.page import DRAWN, explain, linked, name_of, numbered
from minidiff.explain.run import About
from minidiff.explain.wording import VIEWS
from minidiff.pipeline import Pipeline

PAGE = Path(minidiff.__file__).parent / "explain" / "page"
in_browser = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def opened(explained):
    with browser() as page:
        page.open(explained.file)
        yield page


def test_every_view_has_words_and_a_script():
    names = [name_of(module) for module in DRAWN]
    assert names == list(VIEWS) and len(names) == 13
    assert all((PAGE / f"{name}.js").is_file() for name in names)


def test_every_label_is_used_and_every_used_label_exists():
    scripts = "".join(path.read_text("utf-8") for path in [*PAGE.glob("*.js"), PAGE / "template.html"])
    python = "".join(path.read_text("utf-8") for path in PAGE.parent.glob("*.py") if path.name != "labels.py")
    used = {*re.findall(r'say\(\s*"(\w+)"', scripts)}
    assert used <= {*LABELS}
    families = {match for match in re.findall(r"say\(`(\w+_)\$", scripts)}
    unused = [key for key in LABELS if f'"{key}"' not in scripts + python and f"LABEL_{key}" not in scripts
              and not key.startswith(tuple(families))]
    assert unused == []


def test_what_names_another_view_has_its_number_and_links_to_it(explained):
    assert numbered("as in [guidance]") == "as in view 5" and '<a href="#guidance">view 5</a>' in linked("[guidance]")
    links = re.findall(r'<a href="#(\w+)">view (\d+)</a>', explained.html)
    assert links and all(list(VIEWS)[int(number) - 1] == name for name, number in links)
    named = re.findall(r"\[(\w+)\]", " ".join([*LABELS.values(), *(text for view in VIEWS.values() for text in view)]))
    assert {*named} <= {*VIEWS}


def test_there_is_no_address_of_the_network_on_the_page(explained):
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+/", explained.html) == []
    assert "http" not in re.sub(r'"bytes":"[^"]*"|base64,[\w+/=]*', "", explained.html)


def test_sources_are_the_lines_of_the_package(explained):
    for name, view in explained.views.items():
        assert view["sources"], name
        for source in view["sources"]:
            lines = (Path(minidiff.__file__).parents[1] / source["file"]).read_text("utf-8").splitlines()
            code = [line.strip() for line in source["code"].splitlines()]
            assert code == [line.strip() for line in lines[source["line"] - 1 :][: len(code)]]


def test_a_prompt_cannot_write_into_the_page():
    prompt = "</script><b>{{DATA}}"
    pipe = tiny_pipeline(num_inference_steps=1)
    with pytest.warns(UserWarning, match="dropped"):
        *_, (_, html) = explain(pipe, prompt, 0, {}, About("tiny"))
    assert html.count("</script>") == 2 and "<b>{" not in html


def test_of_a_large_model_a_few_images_are_shown_and_the_rest_is_left_out_with_a_word(monkeypatch):
    monkeypatch.setattr(run_module, "SMALL", 0)
    pipe = tiny_pipeline(num_inference_steps=20)
    found = run_module.observe(pipe, About("tiny"), WORDS[0], SEED, {})
    views = {name_of(module): module.view(found.about if name_of(module) == "training" else found) for module in DRAWN
             if name_of(module) != "plane"}
    assert views["film"]["steps"] == [1, 5, 9, 12, 16, 20]
    assert {name: view["missing"] for name, view in views.items() if "missing" in view} == {
        "paths": "too_large", "losses": "too_large", "changed_word": "too_large", "backwards": "too_large"}
    assert views["guidance"]["strip"] is None and views["attention"]["layers"][0]["maps"]["shape"][1] == 1


def test_the_page_of_the_shipped_model_takes_seconds_and_at_most_4_megabytes():
    start = time.process_time()
    *_, (_, html) = explain(Pipeline.from_pretrained("scenes", "cpu"), "a red heart above a blue square", 0, {},
                               About("scenes"))
    assert time.process_time() - start < 30  # of all cores: two idle ones need less than 20 s
    assert len(html.encode()) < 4_000_000


@in_browser
def test_nothing_is_reported_to_the_console_and_nothing_is_asked_of_the_network(opened):
    opened.run("new Promise(done => setTimeout(done, 200))")
    reports = [event for event in opened.events
               if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]
    assert reports == []
    asked = [event["params"]["request"]["url"][:60] for event in opened.events
             if event["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@in_browser
def test_every_view_is_drawn(opened):
    for name in VIEWS:
        assert opened.run(f"document.querySelector('#{name} .view').children.length") > 0, name
        assert opened.run(f"document.querySelector('#{name} .view').getBoundingClientRect().height") > 100, name
    assert opened.run("document.querySelectorAll('.missing').length") == 0


@in_browser
def test_every_image_has_words_for_those_who_cannot_see_it(opened):
    nameless = "[...document.querySelectorAll('{}')].filter(e => !(e.alt || e.getAttribute('aria-label'))).length"
    for what in ("main img", "main [role=img]", "input, select"):
        assert opened.run(nameless.format(what)) == 0, what


def slide(opened, view, i):
    """Move the first slider of a view to i."""
    opened.run(f"(e => {{ e.value = {i}; e.dispatchEvent(new Event('input')); }})"
               f"(document.querySelector('#{view} input'))")


@in_browser
@pytest.mark.parametrize(("view", "seen"), [
    ("noise", "canvas.toDataURL()"), ("film", "canvas.toDataURL()"), ("changed_word", "canvas.toDataURL()"),
    ("attention", ".heat .image canvas.toDataURL()"), ("guidance", "svg.innerHTML"), ("plane", "svg.innerHTML"),
    ("paths", "svg.innerHTML"), ("words", ".merges.innerHTML")])
def test_a_slider_changes_what_is_seen(opened, view, seen):
    place, _, value = seen.rpartition(".")
    shown = []
    for i in (0, 2):
        slide(opened, view, i)
        shown.append(opened.run(f"document.querySelector('#{view} {place}').{value}"))
    assert shown[0] != shown[1]


@in_browser
def test_a_chart_tells_the_values_under_the_pointer(opened, explained):
    view, note = explained.views["losses"], "document.querySelector('#losses .told').textContent"
    assert opened.run(note) == LABELS["point"]
    opened.run("(svg => { const box = svg.getBoundingClientRect(); svg.dispatchEvent(new PointerEvent('pointermove', "
               "{ clientX: box.right - 10, clientY: box.top + 50 })); })(document.querySelector('#losses svg'))")
    told = opened.run(note)
    assert told.startswith(f"t = {view['times'][-1]:g}: {LABELS['loss_right']} {view['errors']['right'][-1]:.3g}")


@in_browser
def test_the_film_plays_and_obeys_keys(opened):
    step = "Number(document.querySelector('#film input').value)"
    opened.run("document.querySelector('#film .panel').focus()")
    opened.run("document.querySelector('#film .picker button').click(); document.querySelector('#film .panel').focus()")
    assert opened.run(step) == 0
    opened.press("ArrowRight")
    assert opened.run(step) == 1
    opened.press("ArrowLeft")
    assert opened.run(step) == 0
    opened.press(" ", " ")
    opened.run("new Promise(done => { const look = () => document.querySelector('#film input').value == 3 ? done(1) "
               ": setTimeout(look, 50); look(); })")
    assert opened.run("document.querySelector('#film .play').textContent") == LABELS["play"]


@in_browser
def test_a_block_of_the_network_shows_its_source_forwards_and_backwards(opened):
    click = "document.querySelector('#network {}').dispatchEvent(new MouseEvent('click'))"
    opened.run(click.format("rect"))
    assert opened.run("document.querySelector('#network .stage code').textContent") == "conv_in"
    code = opened.run("document.querySelector('#network pre').textContent")
    assert "def __call__" in code
    opened.run(click.format("rect.ResBlock"))
    backward = opened.run("[...document.querySelectorAll('#network pre .backward')].map(e => e.textContent).join('')")
    assert "def backward(dy)" in backward and "out_back(dy)" in backward and "in_back(dh)" in backward


@in_browser
def test_a_source_opens_and_closes(opened, explained):
    opened.run("document.querySelector('#guidance .source').click()")
    assert opened.run("document.getElementById('code').open")
    source = explained.views["guidance"]["sources"][0]
    assert opened.run("document.getElementById('code-title').textContent") == f"{source['file']}:{source['line']}"
    opened.run("document.getElementById('code-close').click()")
    assert not opened.run("document.getElementById('code').open")


@in_browser
def test_it_has_a_light_and_a_dark_side(opened):
    paper = "getComputedStyle(document.body).backgroundColor"
    sides = [opened.run(paper)]
    for _ in range(2):
        opened.run("document.getElementById('theme').click()")
        sides.append(opened.run(paper))
    assert sides[0] == sides[2] != sides[1]


@in_browser
def test_it_fits_a_phone(explained):
    with browser() as page:
        page.open(explained.file, 390, 844)
        assert page.run("document.documentElement.scrollWidth") <= 390
