"""The page of a model that knows no scenes, and of runs with other settings: what they lack is left out with a word."""

from __future__ import annotations

import pytest
from chromium import PROGRAM, browser
from explained_page import data_in
from tiny_pipeline import WORDS, tiny_pipeline

from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config
from minidiff.diffusion.schedules import Schedule
from minidiff.explain import guidance, paths, plane, run
from minidiff.explain.labels import LABELS
from minidiff.explain.page import explain
from minidiff.explain.run import About
from minidiff.explain.scene import scene_of
from minidiff.explain.wording import VIEWS
from minidiff.models.configs import TextConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.pipeline import Pipeline
from minidiff.tokenizer import Tokenizer
from minidiff.training.class_labels import class_tokenizer

EMOJI = ["red apple", "a green apple", "two penguins", "a pizza above a cat", "red heart", "a yellow star"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Points in the plane and other samplers are not what is looked at here."""
    monkeypatch.setattr(plane, "TRAINING", 10)
    monkeypatch.setattr(paths, "COUNTS", (1, 2))
    monkeypatch.setattr(paths, "REFERENCE", ("dpm++", 3))
    monkeypatch.setattr(guidance, "SCALES", (0.0, 1.0))


def written(pipe, prompt, options, folder):
    *_, (_, html) = explain(pipe, prompt, 0, options, About("tiny"))
    (folder / "page.html").write_text(html, encoding="utf-8")
    return data_in(html)["views"], folder / "page.html"


def drawn(file):
    """Every view of a page has something in it, no coordinate is missing, and nothing is reported. Yields the page."""
    with browser() as page:
        page.open(file)
        page.run("new Promise(done => setTimeout(done, 200))")
        assert [event for event in page.events if event["method"].startswith(("Runtime.exception", "Log."))] == []
        for name in VIEWS:
            assert page.run(f"document.querySelector('#{name} .view').getBoundingClientRect().height") > 40, name
        assert page.run("[...document.querySelectorAll('svg *')].filter(e => /NaN|undefined|Infinity/.test("
                        "[...e.attributes].map(a => a.value).join())).length") == 0
        return page.run("[...document.querySelectorAll('.missing, #attention .view > .note')].map(e => e.textContent)")


def test_of_a_model_of_emoji_no_scene_is_expected(tmp_path):
    views, file = written(tiny_pipeline(words=EMOJI), "red apple", {}, tmp_path)
    assert views["header"]["judge"] is None and views["guidance"]["strip"]["right"] is None
    assert views["losses"]["true"] is False and views["losses"]["texts"]["wrong"] == "yellow apple"
    assert views["attention"]["overlaps"] == [] and views["attention"]["sharpest"]["token"] in (1, 2)
    if PROGRAM:
        assert drawn(file) == [LABELS["no_judge"], LABELS["att_no_scene"]]


def test_in_a_model_of_class_labels_no_word_listens_to_another(rng, tmp_path):
    pipe = tiny_pipeline()
    pipe.tokenizer = class_tokenizer(WORDS)
    pipe.text_encoder = CLIPTextModel(rng, TextConfig(len(pipe.tokenizer), 8, 16, 0, 2, pipe.tokenizer.max_length))
    views, file = written(pipe, WORDS[0], {}, tmp_path)
    assert views["words"]["tokens"][1] == WORDS[0] and views["words"]["attention"] is None
    if PROGRAM:
        assert LABELS["causal_none"] in drawn(file)


def test_without_words_nothing_is_merged(tmp_path):
    views, file = written(tiny_pipeline(), "", {}, tmp_path)
    assert views["words"]["words"] == [] and views["words"]["most"] == 1  # what the slider begins with
    if PROGRAM:
        assert LABELS["changed_none"] in drawn(file)


def test_a_model_of_few_times_is_compared_with_as_many_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "COUNTS", (5, 10))
    monkeypatch.setattr(paths, "REFERENCE", ("dpm++", 80))
    few = to_config(Scheduler("euler", Schedule(num_train_timesteps=8)))
    views, file = written(tiny_pipeline(few), WORDS[0], {}, tmp_path)
    assert views["paths"]["counts"] == [5, 7] and views["paths"]["reference"] == ["dpm++", 7]
    assert views["plane"]["steps"] == 7
    if PROGRAM:
        drawn(file)


def test_of_a_large_model_the_views_that_take_hours_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "SMALL", 0)
    views, file = written(tiny_pipeline(), WORDS[0], {}, tmp_path)
    assert views["guidance"]["strip"] is None and views["attention"]["sharpest"] is None
    if PROGRAM:
        assert drawn(file).count(LABELS["too_large"]) == 4


def test_a_scene_is_what_a_model_of_scenes_is_asked_for():
    own = Pipeline.from_pretrained("scenes", "cpu").tokenizer
    assert scene_of(WORDS[0], own) and scene_of(WORDS[0], tiny_pipeline().tokenizer)
    assert scene_of("red apple", own) is None
    assert scene_of("a red heart", own) and scene_of("a red heart", Tokenizer.train(EMOJI, 600)) is None
    assert scene_of("a red heart", Tokenizer([])) is None  # of a model of class labels


@pytest.mark.parametrize("options", [
    {"num_inference_steps": 1}, {"guidance_scale": 1.0}, {"num_inference_steps": 3, "sampler": "heun"},
    {"negative_prompt": "a green star", "sampler": "ddpm"}, {"height": 8, "width": 24, "num_inference_steps": 2}])
def test_a_page_can_be_about_a_run_with_other_settings(options, tmp_path):
    views, file = written(tiny_pipeline(), WORDS[0], options, tmp_path)
    assert views["film"]["sources"][-1]["name"] == SAMPLERS[options.get("sampler", "dpm++")].function.__name__
    assert views["header"]["steps"] == options.get("num_inference_steps", 3)
    assert views["guidance"].get("missing") == ("no_guidance" if "guidance_scale" in options else None)
    if PROGRAM:
        left_out = drawn(file)
        assert (LABELS["no_guidance"] in left_out) == ("guidance_scale" in options)
        assert (LABELS["no_judge"] in left_out) == ("width" in options)
