"""Who owns the folder of a run: what is in it, what was left in it, and what happens where it cannot be written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from captioned_folder import captioned_folder
from killed_runs import CONTEXT, SHORT, outcome, train_with_small_files
from numpy.testing import assert_array_equal
from run_python import holding
from tiny_training import SETTINGS, same_parameters

from minidiff.errors import UserError
from minidiff.report.plots import read_metrics
from minidiff.storage.checkpoint import list_checkpoints
from minidiff.storage.pipeline_folder import load_pipeline
from minidiff.training import latents, loop
from minidiff.training.memory import shortage_explained
from minidiff.training.presets import DataSettings
from minidiff.training.run import Run
from minidiff.training.run_folder import OTHERS, append_line, folder_of, model_of
from minidiff.writing import new_file


def test_a_run_that_was_killed_while_it_started_from_a_model_is_known_and_goes_on(tmp_path, finished):
    whole = Run(tmp_path / "whole", SETTINGS, threads=1, start=finished.model_folder)
    assert model_of(whole.folder) == str(finished.model_folder)
    for kept in (0, 1, 2, 3):
        folder = tmp_path / f"killed-{kept}"
        shutil.copytree(whole.folder, folder)
        for made in ("checkpoints/contrastive", "checkpoints/autoencoder", "tokenizer", "start")[:4 - kept]:
            shutil.rmtree(folder / made)
        with pytest.raises(UserError, match="continue it with --resume"):
            Run(folder, SETTINGS)
        run = Run.resume(folder, threads=1)
        same_parameters(load_pipeline(folder / "start").unet, load_pipeline(finished.model_folder).unet)
        for stage in ("autoencoder", "contrastive"):
            assert_array_equal(run.trainer(stage).average, whole.trainer(stage).average)
            assert run.trainer(stage).step == 6
        assert run.tokenizer().vocabulary == finished.tokenizer().vocabulary


@pytest.mark.parametrize("name", OTHERS)
def test_a_folder_that_holds_anything_of_a_run_is_refused_untouched(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"holds {name}, perhaps of a run that has lost its settings.json: remove"):
        Run(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.rglob("*")] == [name]


def test_the_settings_of_a_model_lie_in_it_or_in_the_run_around_it(tmp_path):
    assert folder_of("emoji").name == "emoji" and folder_of("scenes") is None
    inside, other = tmp_path / "run" / "model", tmp_path / "run" / "start"
    for folder in (inside, other):
        folder.mkdir(parents=True)
    assert folder_of(inside) is None
    (tmp_path / "run" / "settings.json").touch()
    assert folder_of(inside) == tmp_path / "run" and folder_of(other) is None  # which another run has trained
    (inside / "settings.json").touch()
    assert folder_of(inside) == inside


def test_two_runs_do_not_write_in_one_folder(tmp_path):
    run = Run(tmp_path / "run", SETTINGS, threads=1)
    with holding(run.folder):
        for change in (lambda: next(run.train()), lambda: run.lengthen("autoencoder", 9)):
            with pytest.raises(UserError, match="another process is training in"):
                change()
        with pytest.raises(UserError, match="--resume"):
            Run(run.folder, SETTINGS)


def test_the_model_of_a_run_is_a_name_or_a_folder(tmp_path):
    run = Run(tmp_path / "run", SETTINGS)
    path = run.folder / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model": [1] * 1000}))
    with pytest.raises(UserError, match=r"settings.json has .* as its model: set it to") as error:
        Run.resume(run.folder)
    assert len(str(error.value)) < 500


def test_a_line_is_whole_also_after_half_of_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_line(path, '{"stage": "a", "step": 1}')
    path.write_text(path.read_text() + '{"stage": "a", "st')
    append_line(path, '{"stage": "a", "step": 2}')
    append_line(path, '{"stage": "a", "step": 3}')
    assert [record["step"] for record in read_metrics(path)] == [1, 2, 3]
    with pytest.raises(UserError, match=r"cannot write .*: free some space, then go on with --resume"):
        append_line(tmp_path, "")


@pytest.mark.skipif("sys.platform != 'linux'")
def test_a_disk_that_gets_full_loses_nothing(tmp_path):
    whole, folder = Run(tmp_path / "whole", SHORT, threads=1), tmp_path / "run"
    loop_every, loop.LOOK_EVERY = loop.LOOK_EVERY, 1
    try:
        list(whole.train())
        sizes = sorted({path.stat().st_size for path in whole.folder.rglob("*") if path.is_file()})
        for size in sizes[1:-1 : len(sizes) // 3]:  # files larger than this cannot be written
            receiver, sender = CONTEXT.Pipe(duplex=False)
            process = CONTEXT.Process(target=train_with_small_files, args=(folder, size, sender))
            process.start()
            process.join()
            assert "cannot write" in receiver.recv()
            assert not [*folder.rglob(".*")]
        list(Run.resume(folder, threads=1).train())
    finally:
        loop.LOOK_EVERY = loop_every
    (files, records), (expected_files, expected_records) = outcome(folder), outcome(whole.folder)
    assert files == expected_files
    assert records == expected_records


LOWER = r"out of memory; .* fewer --threads, or .* smaller --train_STAGE.batch_size"


@pytest.mark.parametrize(("error", "message"), [
    (MemoryError(), LOWER), (OSError(12, "Cannot allocate memory"), LOWER),
    (RuntimeError("can't start new thread"), LOWER),
    (OSError(28, "No space left on device"), "the disk is full: free some space, then go on with --resume")])
def test_too_little_memory_and_a_full_disk_are_one_line_that_says_what_to_do(tmp_path, monkeypatch, error, message):
    run = Run(tmp_path / "run", SHORT, threads=1)
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    progress = run.train(["tokenizer", "autoencoder"])
    next(progress)

    def fail(*_):
        raise error

    monkeypatch.setattr(run.trainer("autoencoder").stage, "step", fail)
    with pytest.raises(UserError, match=message):
        next(progress)
    assert len(list_checkpoints(run.folder / "checkpoints" / "autoencoder")) == 1
    with pytest.raises(OSError, match="of something else"), shortage_explained():
        raise OSError(5, "of something else")
    with pytest.raises(UserError, match="the disk is full"), shortage_explained(), new_file(tmp_path / "file"):
        raise OSError(28, "No space left on device")


def test_images_that_vanish_or_change_while_they_are_read_are_not_trained_on(tmp_path):
    own = captioned_folder(tmp_path / "own")
    run = Run(tmp_path / "run", replace(SHORT, data=DataSettings(str(own))), threads=1)
    for change in (lambda: (own / "07.png").unlink(), lambda: (own / "03.txt").write_text("a cat"),
                   lambda: (own / "08.png").rename(own / "new.png"), lambda: shutil.rmtree(own)):
        progress = run.train(["tokenizer"])
        next(progress)
        change()
        with pytest.raises(UserError, match=r"has changed while it was read: go on with --resume|there is no "):
            list(progress)
        assert not (run.folder / "tokenizer").exists() and not [*(run.folder / "data").iterdir()]
    captioned_folder(own)
    assert [progress.step for progress in Run.resume(run.folder).train(["tokenizer"])] == [*range(1, 25)]


def test_with_minutes_only_what_there_is_time_for_is_encoded(tmp_path, finished, monkeypatch):
    monkeypatch.setattr("minidiff.training.diffusion.ENCODE_BATCH", 8)
    path = tmp_path / "latents.safetensors"
    arguments = path, finished.source, finished.tokenizer(), finished.finished("autoencoder").model, "cpu", 1
    [last] = latents.write_latents(*arguments, seconds=0.0)
    assert (last.step, last.total, last.seconds_left) == (8, 8, 0.0)
    assert len(latents.read_latents(path)[0].ids) == 8
    *_, last = latents.write_latents(*arguments, seconds=1e6)
    assert last.step == len(latents.read_latents(path)[0].ids) == 40
