from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from minidiff.data.batches import evaluation_scenes, scene_batch
from minidiff.data.scenes import HELD_OUT, images_of, to_float


def test_a_batch_is_images_in_minus_one_to_one_with_their_captions():
    batch = scene_batch(0, 3, size=32, seed=5, free_wording=0.0)
    assert batch.images.shape == (3, 32, 32, 3) and batch.images.dtype == np.float32
    assert -1 <= batch.images.min() and batch.images.max() <= 1
    assert batch.captions == [scene.caption for scene in batch.scenes]
    assert_array_equal(batch.images, to_float(images_of(batch.scenes, 32)))


def test_a_batch_depends_on_its_index_alone():
    one, again, next_one = (scene_batch(index, 4, seed=7) for index in (3, 3, 4))
    assert one.scenes == again.scenes and one.captions == again.captions
    assert_array_equal(one.images, again.images)
    assert one.scenes != next_one.scenes


def test_no_scene_comes_twice():
    scenes = [scene for seed in (0, 1) for index in range(5)
              for scene in scene_batch(index, 20, size=8, seed=seed).scenes]
    scenes += evaluation_scenes(100) + evaluation_scenes(100, seed=1)
    assert len({scene.objects for scene in scenes}) == len(scenes) == 400


def test_splits_reach_the_scenes():
    first = [(s.objects[0].colour, s.objects[0].shape)
             for s in [*scene_batch(0, 20, size=8, split="held_out").scenes, *evaluation_scenes(20, "held_out")]]
    assert set(first) <= set(HELD_OUT)
    assert not set(HELD_OUT) & {(t.colour, t.shape) for s in evaluation_scenes(200) for t in s.objects}


def test_few_evaluation_scenes_are_the_first_of_many():
    assert evaluation_scenes(9)[:4] == evaluation_scenes(4)
