from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.testing import assert_array_equal

from minidiff.data.batches import SceneBatches, evaluation_scenes, preview
from minidiff.data.scenes import HELD_OUT, images_of, to_float


def test_a_batch_is_images_in_minus_one_to_one_with_their_captions():
    batch = next(SceneBatches(3, size=32, seed=5, free_wording=0.0))
    assert batch.images.shape == (3, 32, 32, 3) and batch.images.dtype == np.float32
    assert -1 <= batch.images.min() and batch.images.max() <= 1
    assert batch.captions == [scene.caption for scene in batch.scenes]
    assert_array_equal(batch.images, to_float(images_of(batch.scenes, 32)))


def test_resuming_at_a_position_equals_going_on():
    batches = SceneBatches(4, seed=7)
    list(islice(batches, 3))
    resumed = SceneBatches(4, seed=7, position=batches.position)
    assert batches.position == 3
    for _ in range(2):
        going_on, again = next(batches), next(resumed)
        assert going_on.scenes == again.scenes
        assert_array_equal(going_on.images, again.images)


def test_no_scene_comes_twice():
    scenes = [scene for seed in (0, 1) for batch in islice(SceneBatches(20, size=8, seed=seed), 5)
              for scene in batch.scenes]
    scenes += evaluation_scenes(100) + evaluation_scenes(100, seed=1)
    assert len({scene.objects for scene in scenes}) == len(scenes) == 400


def test_splits_reach_the_scenes():
    first = [(s.objects[0].colour, s.objects[0].shape)
             for s in [*next(SceneBatches(20, size=8, split="held_out")).scenes, *evaluation_scenes(20, "held_out")]]
    assert set(first) <= set(HELD_OUT)
    assert not set(HELD_OUT) & {(t.colour, t.shape) for s in evaluation_scenes(200) for t in s.objects}


def test_few_evaluation_scenes_are_the_first_of_many():
    assert evaluation_scenes(9)[:4] == evaluation_scenes(4)


def test_the_preview_shows_what_training_sees():
    shown = preview(3, size=40, seed=2)
    batch = next(SceneBatches(3, size=40, seed=2))
    assert [caption for _, caption in shown] == batch.captions
    assert_array_equal([to_float(image) for image, _ in shown], batch.images)
