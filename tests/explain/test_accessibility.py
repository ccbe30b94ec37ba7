"""The page can be read by people who see little, and used without a mouse."""

from __future__ import annotations

import axe_core
import pytest
from chromium import PROGRAM, browser

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")
audited = pytest.mark.skipif(axe_core.FILE is None, reason="needs axe-core: npm pack axe-core, and name it in AXE_CORE")


@pytest.fixture(scope="module")
def opened(explained):
    with browser() as page:
        page.open(explained.file)
        yield page


def shown(page, theme, width=1280):
    page.resize(width, 900)
    page.run(f"document.documentElement.dataset.theme = '{theme}'")
    page.run("new Promise(done => setTimeout(done, 100))")


@audited
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_on_the_page_is_too_pale_or_without_a_name(opened, theme, width):
    shown(opened, theme, width)
    assert axe_core.violations(opened) == []


@audited
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_in_an_open_source_is_too_pale_or_without_a_name(opened, theme):
    shown(opened, theme)
    opened.run("document.querySelector('#guidance .source').click()")
    try:
        assert axe_core.violations(opened) == []
    finally:
        opened.run("document.getElementById('code-close').click()")


@audited
def test_pale_text_and_a_nameless_image_would_be_found(opened):
    shown(opened, "light")
    opened.run("document.querySelector('#film .note').style.color = '#d0d0d0'")
    opened.run("document.querySelector('#header img').removeAttribute('alt')")
    try:
        found = {fault.partition(":")[0] for fault in axe_core.violations(opened)}
        assert found == {"color-contrast", "image-alt"}
    finally:
        opened.run("document.querySelector('#film .note').style.color = ''")
        opened.run("document.querySelector('#header img').alt = 'again'")


@pytest.mark.parametrize(("picker", "seen"), [
    ("#attention .picker", "#attention .image canvas"), ("#film .picker", "#film canvas")])
def test_arrow_keys_go_through_what_can_be_picked(opened, picker, seen):
    image = f"document.querySelector('{seen}').toDataURL()"
    opened.run(f"(e => {{ e.focus(); e.click(); }})(document.querySelector('{picker} button'))")
    before = opened.run(image)
    opened.press("ArrowRight")
    pressed = f"[...document.querySelectorAll('{picker} button')].findIndex(e => e.ariaPressed == 'true')"
    assert opened.run(pressed) == 1 and opened.run(image) != before
    opened.press("ArrowLeft")
    assert opened.run(pressed) == 0 and opened.run(image) == before


def test_arrow_keys_go_through_the_network(opened):
    name = "document.querySelector('#network .stage code').textContent"
    opened.run("document.querySelector('#network rect').focus()")
    opened.press("Enter")
    assert opened.run(name) == "conv_in"
    opened.press("ArrowRight")
    assert opened.run(name) == "down_blocks.0.resnets.0"
    assert opened.run("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_what_can_be_chosen_changes_the_heat_maps(opened):
    image = "document.querySelector('#attention .image canvas').toDataURL()"
    opened.run("document.querySelectorAll('#attention .picker button')[2].click()")
    seen = []
    for i in (1, 2):
        opened.run(f"(e => {{ e.value = {i}; e.dispatchEvent(new Event('change')); }})"
                   "(document.querySelectorAll('#attention select')[1])")
        seen.append(opened.run(image))
    assert seen[0] != seen[1]
