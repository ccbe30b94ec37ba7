"""A page about a small model, and the run that it is about."""

from __future__ import annotations

import pytest
from explained_page import COMMAND, SEED, Explained, data_in, write_run
from tiny_pipeline import WORDS, tiny_pipeline

from minidiff.explain.page import explain
from minidiff.explain.run import About, Run, observe


@pytest.fixture(scope="session")
def explained(tmp_path_factory) -> Explained:
    folder = tmp_path_factory.mktemp("explained")
    write_run(folder / "run")
    pipe = tiny_pipeline(num_inference_steps=4)
    *_, (name, html) = explain(pipe, WORDS[0], SEED, {}, About("tiny", COMMAND, folder / "run"))
    assert name == "page"
    (folder / "page.html").write_text(html, encoding="utf-8")
    return Explained(pipe, WORDS[0], html, data_in(html)["views"], folder / "page.html")


@pytest.fixture(scope="session")
def run(explained) -> Run:
    return observe(explained.pipe, About("tiny"), explained.prompt, SEED, {})
