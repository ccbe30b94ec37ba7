"""Numbers on the page are those of the pipeline."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from explained_page import LOSSES, SEED
from PIL import Image
from tiny_pipeline import WORDS

from minidiff.backend import random_stream
from minidiff.data.images import bytes_of
from minidiff.data.judge import read, verdict
from minidiff.diffusion.objectives import add_noise, loss_weight, target
from minidiff.diffusion.schedules import Time
from minidiff.explain import guidance, losses, paths, plane
from minidiff.explain.images import packed
from minidiff.explain.other_word import changed
from minidiff.explain.recorder import named_modules
from minidiff.nn.module import frozen
from minidiff.training.diffusion import denoising_loss
from minidiff.training.presets import Settings


def pixels(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def frames(strip):
    """The images of a strip, (N, H, W, 3)."""
    image = pixels(strip["uri"])
    assert image.shape == (strip["height"], strip["count"] * strip["width"], 3)
    return np.stack(np.split(image, strip["count"], axis=1))


def unpacked(data):
    levels = np.frombuffer(base64.b64decode(data["bytes"]), np.uint8)
    return levels.reshape(data["shape"]) * data["top"] / 255


def test_the_image_and_the_settings_are_those_of_the_pipeline(explained):
    view, [image] = explained.views["header"], explained.pipe(explained.prompt, seed=SEED)
    assert np.abs(pixels(view["image"]) - np.asarray(image).astype(int)).max() <= 1
    assert (view["seed"], view["steps"], view["guidance"]) == (SEED, 4, 3.0)
    assert sum(view["parameters"].values()) == sum(
        p.value.size for part in (explained.pipe.unet, explained.pipe.vae, explained.pipe.text_encoder)
        for p in part.parameters())


def test_replayed_merges_end_in_the_tokens(explained):
    view, tokenizer = explained.views["words"], explained.pipe.tokenizer
    assert view["ids"] == tokenizer([explained.prompt])[0].tolist()
    for word in view["words"]:
        assert "".join(word["merges"][0]) == word["text"] + "</w>"
        assert [tokenizer.vocabulary[symbol] for symbol in word["merges"][-1]] == tokenizer.encode(word["text"])[1:-1]
    assert np.triu(unpacked(view["attention"]), 1).max() == 0


def test_noise_is_that_of_the_schedule(explained, run):
    view = explained.views["noise"]
    alpha, sigma = run.scheduler.schedule.at(np.array(view["times"]))
    np.testing.assert_allclose(view["alpha"], alpha, rtol=1e-3, atol=0)
    np.testing.assert_allclose(view["sigma"], sigma, rtol=1e-3, atol=0)
    noisy = add_noise(run.steps[-1].after[None], run.noise[None], alpha[5:6], sigma[5:6])
    assert np.abs(frames(view["decoded"])[5] - bytes_of(explained.pipe.decode(noisy))[0]).max() <= 1


def test_the_film_shows_the_states_of_the_sampler(explained):
    view = explained.views["film"]
    moments = explained.pipe.stream(explained.prompt, seed=SEED)
    states = [moment.value for moment in moments if moment.name == "sampling"]
    assert view["t"] == pytest.approx([state.t for state in states], rel=1e-3)
    shown = {name: frames(strip) for name, strip in view["rows"].items()}
    for i, state in enumerate(states):
        assert np.abs(shown["guided"][i] - bytes_of(explained.pipe.decode(state.denoised))[0]).max() <= 1
        assert np.abs(shown["x"][i + 1] - bytes_of(explained.pipe.decode(state.x))[0]).max() <= 1
    assert np.abs(shown["cond"] - shown["uncond"]).max() > 1


def test_arrows_of_guidance_have_true_lengths_and_lie_in_one_plane(explained, run):
    for found, step in zip(explained.views["guidance"]["steps"], run.steps, strict=True):
        expected = step.uncond + run.scale * (step.cond - step.uncond)
        for name, vector in (("uncond", step.uncond), ("cond", step.cond), ("guided", expected)):
            assert math.hypot(*found[name]) == pytest.approx(np.linalg.norm(vector), rel=1e-3)
        cosine = (step.uncond * step.cond).sum() / np.linalg.norm(step.uncond) / np.linalg.norm(step.cond)
        assert found["degrees"] == pytest.approx(np.degrees(np.arccos(cosine)), rel=1e-3)
        difference = step.time.sigma * np.linalg.norm(step.cond - step.uncond)  # of a flow, x0 = x − σ y
        assert found["apart_x0"] == pytest.approx(difference, rel=1e-3)
        assert found["outside"] < 1e-4 * math.hypot(*found["guided"])


def test_what_guidance_changed_is_the_difference_from_scale_1(explained, run):
    view, [plain] = explained.views["guidance"]["strip"], explained.pipe(WORDS[0], seed=SEED, guidance_scale=1.0)
    apart = np.abs(run.image.astype(int) - np.asarray(plain)).max(axis=-1)
    assert view["change"]["levels"] == pytest.approx(apart.mean(), abs=0.1) and apart.mean() > 1
    assert view["change"]["percent"] == pytest.approx(100 * (apart > guidance.VISIBLE).mean(), abs=0.5)
    assert view["right"] == [verdict(read(image.astype(np.uint8)), run.scene)["right"]
                             for image in frames(view["images"])]


def test_the_strip_of_scales_is_drawn_with_each_scale(explained):
    strip = explained.views["guidance"]["strip"]
    shown = frames(strip["images"])
    assert strip["scales"] == list(guidance.SCALES)
    for i in (0, 1, 4):
        scale = strip["scales"][i]
        [image] = explained.pipe("" if scale == 0 else explained.prompt, seed=SEED, guidance_scale=max(scale, 1.0))
        assert np.abs(shown[i] - np.asarray(image)).max() <= 1


def test_heat_maps_are_the_weights(explained, run):
    view = explained.views["attention"]
    for layer, name in zip(view["layers"], run.steps[0].weights, strict=True):
        expected = np.stack([step.weights[name][..., :run.tokens] for step in run.steps])
        np.testing.assert_allclose(np.moveaxis(unpacked(layer["maps"]), 2, -1), np.sqrt(expected), rtol=0,
                                   atol=0.51 * layer["maps"]["top"] / 255 + 1e-3)
    parts, weights = view["received"], [weights for step in run.steps for weights in step.weights.values()]
    assert sum(parts.values()) == pytest.approx(1, abs=2e-3) and view["padding"] == len(run.ids) - run.tokens > 0
    assert parts["start"] == pytest.approx(np.mean([w[..., 0].astype(float).mean() for w in weights]), rel=1e-3)


def test_the_network_lists_every_stage_with_its_shape_and_parameters(explained, run):
    stages = explained.views["network"]["stages"]
    y, inside = run.steps[len(run.steps) // 2].outputs, [stage["name"] for stage in stages]
    assert [stage["shape"] for stage in stages] == [list(y[f"unet.{name}"].shape) for name in inside]
    everything = sum(p.value.size for p in run.pipe.unet.parameters())
    time = sum(p.value.size for p in run.pipe.unet.time_embedding.parameters())
    assert sum(stage["parameters"] for stage in stages) == everything - time


def test_every_skip_connection_is_shown_from_where_it_is_kept_to_where_it_is_read(explained):
    view, unet = explained.views["network"], explained.pipe.unet
    stages, modules = view["stages"], dict(named_modules(unet, ""))
    assert len(view["skips"]) == sum(len(block.resnets) for block in unet.up_blocks)
    for start, end in view["skips"]:
        before, kept, reader = stages[end - 1]["shape"], stages[start]["shape"], stages[end]
        assert before[:2] == kept[:2] == reader["shape"][:2]
        norm = modules[f".{reader['name']}"].norm1
        assert norm.weight.value.size == before[2] + kept[2]


def test_paths_are_projected_latents_and_errors_those_of_the_samplers(explained, run):
    view, states = explained.views["paths"], run.siblings.states
    centre, axes, kept = paths.plane_of(states)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), rtol=0, atol=1e-9)
    assert 0 < kept <= 1 and view["kept"] == pytest.approx(kept, rel=1e-6)
    expected = axes @ (states[2, -1].ravel() - centre)
    np.testing.assert_allclose(view["paths"][2][-1], expected, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(states[0, -1], run.steps[-1].after, rtol=0, atol=1e-4)
    offs = {(one["sampler"], one["steps"]): one["off"] for one in view["table"]}
    (_, end, image), (_, true, _) = paths.ended(run, "euler", 5), paths.ended(run, *paths.REFERENCE)
    assert offs["euler", 5] == pytest.approx(100 * np.linalg.norm(end - true) / np.linalg.norm(true), rel=1e-3)
    assert offs["dpm++", 20] < offs["dpm++", 5] and np.abs(frames(view["ends"])[1] - image[0]).max() <= 1


def test_the_exact_answer_in_the_plane_is_the_mean_of_what_may_have_been(explained):
    points = np.array([[0.0, 1.0], [2.0, -1.0]])
    far = plane.posterior_mean(points, np.zeros((1, 2)), Time(999.0, 0.0, 1.0))
    near = plane.posterior_mean(points, np.array([[1.9, -1.0]]), Time(10.0, 1.0, 1e-3))
    np.testing.assert_allclose([far, near], [[[1.0, 0.0]], [[2.0, -1.0]]], rtol=1e-12, atol=1e-12)
    view = explained.views["plane"]
    learned, exact = (np.array(view[name]["arrows"]) for name in ("learned", "exact"))
    assert np.linalg.norm(learned - exact) < 0.4 * np.linalg.norm(exact)
    assert len(view["exact"]["points"]) == len(view["sigma"]) + 1 and np.abs(np.diff(view["sigma"])).max() < 0.15
    ends, data = np.array(view["exact"]["points"][-1]), np.array(view["data"])
    assert np.mean(np.linalg.norm(ends[:, None] - data, axis=-1).min(axis=1) < 0.1) > 0.95


def test_errors_are_mean_squares_of_the_networks_answers(explained, run):
    view, x0 = explained.views["losses"], run.true_latents[0]
    assert view["true"] and view["texts"]["wrong"] == changed(run)
    t, noise = view["times"][6], random_stream(SEED).standard_normal(x0.shape, dtype=np.float32)
    alpha, sigma = (np.full(len(x0), value) for value in run.scheduler.schedule.at(t))
    ids = explained.pipe.tokenizer([explained.prompt] * len(x0))
    loss, _ = denoising_loss(explained.pipe.unet, frozen(explained.pipe.text_encoder),
                            add_noise(x0, noise, alpha, sigma), np.full(len(x0), t, np.float32), ids,
                            target("flow_prediction", x0, noise, alpha, sigma))
    assert view["errors"]["right"][6] == pytest.approx(float(loss["loss"]), rel=1e-3)
    last = view["times"][-1]
    [right], [none] = (losses.answers(run, x0, [last], text) for text in (explained.prompt, ""))
    assert view["apart"] == pytest.approx(np.mean((right - none) ** 2), rel=1e-3)
    assert view["zero"] == pytest.approx(np.mean((noise - x0) ** 2), rel=1e-3)


def test_what_trains_is_error_times_weight_times_frequency(explained, run):
    view, schedule = explained.views["losses"], run.scheduler.schedule
    middles, own = np.array(view["middles"]), Settings().diffusion
    np.testing.assert_allclose(view["weight"], loss_weight(own.weighting, "flow_prediction",
                                                           *schedule.at(middles.round())), rtol=1e-3, atol=0)
    assert np.mean(view["law"]) == pytest.approx(1, rel=1e-3)
    error = np.exp(np.interp(middles, view["times"], np.log(view["errors"]["right"])))
    np.testing.assert_allclose(view["product"], error * view["weight"] * np.array(view["law"]), rtol=2e-3, atol=0)
    pure = own.layout_fraction * view["errors"]["right"][-1] * view["weight"][-1]
    assert view["loss"] == pytest.approx((1 - own.layout_fraction) * np.mean(view["product"]) + pure, rel=2e-3)


def test_times_are_drawn_as_in_the_run_of_the_model(explained, run):
    """The run of the page has a time_shift of 1, so that its times are not moved towards noise."""
    law = explained.views["losses"]["law"]
    assert 0.8 < sum(law[:20]) / sum(law[20:]) < 1.25
    assert sum(losses.view(run)["law"][:20]) < 0.5 * sum(law[:20])


def test_runs_part_where_words_are_read(explained):
    view = explained.views["changed_word"]
    cells, first = unpacked(view["cells"]), next(i for i, name in enumerate(view["stages"]) if "attentions" in name)
    assert cells[:first, 0].max() == 0 and cells[first, 0] > 0 and cells[0, 1] > 0
    stage, step = np.unravel_index(cells.argmax(), cells.shape)
    assert (view["jump"]["stage"], view["jump"]["step"]) == (stage, step + 1)
    assert view["jump"]["before"] == pytest.approx(cells[stage - 1, step], abs=view["cells"]["top"] / 255)


def test_losses_of_a_run_are_shown_with_what_chance_gives(explained):
    view = explained.views["training"]
    assert {one["name"]: {step: loss for step, loss in one["losses"]["loss"]} for one in view["stages"]} == LOSSES
    chances = {one["name"]: one["chance"] for one in view["stages"]}
    assert chances["contrastive"]["loss"] == pytest.approx(math.log(64)) and chances["diffusion"] is None
    steps = [one["step"] for one in view["samples"]]
    assert len(steps) == 5 and (steps[0], steps[-1]) == (100, 800) and steps == sorted(steps)


def test_gradients_are_those_of_a_training_step_and_equal_difference_quotients(explained):
    view = explained.views["backwards"]
    assert abs(view["without_middle"] / view["loss"] - 1) > 1e-3
    assert [check["name"].partition(".")[0] for check in view["checks"]] == ["down_blocks", "mid_block", "up_blocks"]
    assert all(check["backward"] != 0 and check["off"] < 1e-5 for check in view["checks"])
    assert len(view["times"]) == 4 and view["times"] == sorted(view["times"])
    assert all(stage["gradient"] > 0 for stage in view["stages"])
    assert all(p.grad is None for p in explained.pipe.unet.parameters())


def test_bytes_keep_values_to_half_a_level(rng):
    values = rng.uniform(0, 3, (4, 5))
    np.testing.assert_allclose(unpacked(packed(values)), values, rtol=0, atol=0.51 * values.max() / 255)
