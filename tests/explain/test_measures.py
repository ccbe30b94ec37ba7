"""What views measure, where the answer is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_pipeline import FLOW, STABLE_DIFFUSION, tiny_pipeline

from minidiff.data.judge import read, verdict
from minidiff.data.scene_captions import parse_caption
from minidiff.data.scenes import Scene, Thing
from minidiff.diffusion.guidance import classifier_free
from minidiff.diffusion.samplers import advance, heun
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config, with_sampler
from minidiff.diffusion.schedules import SMALLEST_ALPHA, Schedule
from minidiff.explain import attention, film, paths
from minidiff.explain.attention import fraction_inside
from minidiff.explain.images import reduced
from minidiff.explain.other_word import changed
from minidiff.explain.run import About, observe
from minidiff.explain.scene import true_scenes
from minidiff.explain.words import alike


def test_the_two_tokens_that_are_most_alike_after_the_encoder_are_named():
    own, read = np.array([[1.0, 0], [0, 2], [3, 3]]), np.array([[1.0, 0], [1, -1], [-1, 0.9]])
    assert alike(own, read) == {"pair": [0, 1], "own": 0.0, "read": pytest.approx(0.5**0.5, rel=1e-3)}


@pytest.mark.parametrize(("schedule", "alpha"), [
    (Schedule(rescale_betas_zero_snr=True), SMALLEST_ALPHA), (Schedule(), None), (Schedule("flow"), None)])
def test_an_alpha_that_replaces_0_is_told(schedule, alpha):
    scheduler = Scheduler("dpm++", schedule, "v_prediction")
    first = SimpleNamespace(time=scheduler.steps(5)[0].start)
    assert film.replaced(SimpleNamespace(scheduler=scheduler, steps=[first])) == alpha


@pytest.mark.parametrize("scheduler", [FLOW, STABLE_DIFFUSION], ids=["dpm++", "pndm"])
def test_the_answers_of_a_step_give_its_x0_at_its_time(scheduler):
    run = observe(tiny_pipeline(scheduler), About("tiny"), "a red heart", 0, {})
    for step in run.steps:
        guided = classifier_free(step.cond, step.uncond, run.scale)
        np.testing.assert_allclose(run.x0(step, guided), step.denoised, rtol=1e-3, atol=1e-3)


def test_the_best_head_looks_at_the_object_for_the_word_and_not_for_start(run, monkeypatch):
    """One head looks into the box for every token, one hardly looks, and one does for the word alone."""
    place, faint, knowing = np.zeros((3, 4, 4))
    place[:2, :2] = knowing[:2, :2] = 0.2
    faint[0, 0], even = 1e-3, np.full((4, 4), 0.1)
    maps = {0: np.stack([place, even, even])}
    monkeypatch.setattr(attention, "head_maps", lambda run, token: [maps.get(token, np.stack([place, faint, knowing]))])
    thing = replace(read(Scene((Thing("red", "heart", (32.0, 32.0), 12.0),)).image()).objects[0], box=(0, 0, 32, 32))
    monkeypatch.setattr(attention, "read", lambda image: SimpleNamespace(objects=[thing]))
    monkeypatch.setattr(attention, "finest", lambda heat, run: heat)
    found = attention.overlaps(run)
    assert [one["word"] for one in found] == ["red", "heart"]
    assert found[0]["best"] == {"layer": 0, "head": 2, "inside": 1.0, "start": 0.25}


def test_the_overlap_counts_parts_of_pixels():
    heat = np.ones((4, 4))
    assert fraction_inside(heat, [0.0, 0.0, 0.5, 0.5]) == pytest.approx(0.25)
    assert fraction_inside(heat, [0.1, 0.1, 0.9, 0.35]) == pytest.approx(0.8 * 0.25)
    heat[:, 2:] = 0
    assert fraction_inside(heat, [0.0, 0.0, 0.5, 1.0]) == pytest.approx(1.0)
    assert fraction_inside(np.zeros((4, 4)), [0.0, 0.0, 0.5, 1.0]) == 0


def test_how_far_heun_ends_from_euler_is_the_product_of_two_factors(rng):
    config = to_config(Scheduler("dpm++", Schedule(rescale_betas_zero_snr=True), "v_prediction"))
    scheduler, (noise, x0) = with_sampler(config, "heun"), rng.standard_normal((2, 1, 3, 4, 2))
    steps = scheduler.steps(4)
    first = next(heun(lambda x, time: x0 + 0.01 * time.alpha * x, noise, steps))
    found = paths.slopes_of(SimpleNamespace(pipe=SimpleNamespace(scheduler=config), noise=noise[0]), first, 4)
    (_, alpha, sigma), (_, end_alpha, end_sigma) = steps[0]
    guess = advance(noise, x0 + 0.01 * alpha * noise, steps[0])
    slopes = [(x - a * (x0 + 0.01 * a * x)) / s for x, a, s in ((noise, alpha, sigma), (guess, end_alpha, end_sigma))]
    assert sigma / alpha > 4000
    assert found["factor"] == pytest.approx(end_alpha * (sigma / alpha - end_sigma / end_alpha))
    assert found["difference"] == pytest.approx(np.linalg.norm(slopes[1] - slopes[0]) / np.linalg.norm(slopes[0]))


def test_where_runs_end_is_correlated_with_where_they_begin():
    ways = np.zeros((3, 2, 2))
    assert paths.decided(ways) == 0
    ways[:, 0, 0], ways[:, 1, 0] = (1, 2, 3), (-2, -4, -6)
    assert paths.decided(ways) == pytest.approx(-1)


def test_true_scenes_have_every_background_that_the_caption_leaves_open(rng):
    def seen(prompt, count=9):
        scene = parse_caption(prompt)
        images = [read(one.image()) for one in true_scenes(rng, scene, count)]
        assert all(verdict(one, scene)["right"] for one in images)
        return Counter(one.background for one in images)

    assert seen("a red heart above a blue square") == {"white": 3, "black": 3, "gray": 3}
    assert seen("a red heart above a blue square on a black background", 4) == {"black": 4}


@pytest.mark.parametrize(("prompt", "other"), [
    ("a red heart above a blue square", "a green heart above a blue square"),  # it has no token for cyan
    ("a Red_heart4", "a blue_heart4"), ("a star", "a {}"), ("a", None), ("???", None), ("'sred", None)])
def test_one_word_is_changed(prompt, other):
    found = changed(observe(tiny_pipeline(num_inference_steps=1), About("tiny"), prompt, 0, {}))
    if other is None:
        assert found is None
    else:
        before, after = prompt.split(), found.split()
        assert found == other or (other == "a {}" and after[0] == "a" and after != before and after[1].isalpha())


def test_large_images_are_reduced_to_means_of_blocks(rng):
    pixels = rng.integers(0, 256, (2, 600, 402, 3), dtype=np.uint8)
    small = reduced(pixels)
    assert small.shape == (2, 200, 134, 3)
    expected = pixels[1].reshape(200, 3, 134, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small[1], expected, rtol=0, atol=0.56)  # Pillow rounds 5/9 down
    np.testing.assert_array_equal(reduced(pixels[:, :64, :64]), pixels[:, :64, :64])
