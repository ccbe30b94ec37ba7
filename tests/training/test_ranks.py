"""Training by several processes: the result of one, whatever their number, and one end for all."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from captioned_folder import shaped_folder
from numpy.testing import assert_allclose, assert_array_equal
from ranked_runs import train
from run_python import ENVIRONMENT, run_python
from tiny_training import SETTINGS, everything

from minidiff.errors import UserError
from minidiff.storage.checkpoint import latest
from minidiff.storage.lock import held
from minidiff.training import loop, ranks
from minidiff.training.lora import LoRARun, resume
from minidiff.training.presets import DataSettings, LoRASettings
from minidiff.training.ranks import Ranks, world
from minidiff.training.run import Run

SMALL = """--stage tokenizer autoencoder --size 16 --unet.block_out_channels 8,8 --unet.attention_levels false,true
    --train_autoencoder.steps 9000""".split()
PROGRAM = Path(__file__).parents[1] / "ranked_runs.py"
needs_mpi = pytest.mark.skipif(shutil.which("mpiexec") is None or find_spec("mpi4py") is None,
                               reason="needs mpiexec and mpi4py: pip install mpich mpi4py")


def start(count, *command):
    return subprocess.Popen(["mpiexec", "-n", str(count), sys.executable, *map(str, command)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)


def trained_by(count, folder, *how):
    """The exit code and errors of a run, as ranked_runs.py trains it."""
    process = start(count, PROGRAM, folder, *how)
    _, errors = process.communicate(timeout=100)
    return process.returncode, errors


def last_records(folder):
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {record["stage"]: record for record in records if record["step"] == SETTINGS.train_diffusion.steps}


def assert_ended_alike(folder, finished, names=("gradient_norm", "held_out")):
    """A run has ended as `finished` did, to rounding, with such records of the last steps, and with files alike."""
    expected, got = (everything(resume(one, threads=1)) for one in (finished.folder, folder))
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert np.linalg.norm(got[name] - array) <= 1e-4 * np.linalg.norm(array), name
    for stage, record in last_records(finished.folder).items():
        for name in names:
            assert_allclose(last_records(folder)[stage][name], record[name], rtol=1e-4, atol=0)
    files = [{path.relative_to(top) for path in top.rglob("*") if "checkpoint-" not in path.name}
             for top in (folder, finished.folder)]
    assert files[0] == files[1]


@needs_mpi
def test_ranks_train_as_one_process_does_though_they_have_unequal_parts_of_a_batch(finished, tmp_path):
    assert trained_by(3, tmp_path / "run") == (0, "")
    assert_ended_alike(tmp_path / "run", finished, ("loss", "gradient_norm", "held_out"))


@needs_mpi
def test_a_run_goes_on_with_another_number_of_ranks(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    train(tmp_path / "run", "stop")
    assert trained_by(2, tmp_path / "run", "stop") == (0, "")
    steps = [latest(tmp_path / "run/checkpoints" / stage)[2]["step"] for stage in ("autoencoder", "contrastive")]
    assert steps == [6, 2]
    train(tmp_path / "run")
    assert_ended_alike(tmp_path / "run", finished)


def class_labels_in_buckets(folder, images, model):
    text = replace(SETTINGS.text, class_labels=True, num_hidden_layers=0, max_length=3)
    return Run(folder, replace(SETTINGS, text=text, size=24, data=DataSettings(str(images), buckets=True),
                               diffusion=replace(SETTINGS.diffusion, train_text_encoder=True)), threads=1)


def from_a_model(folder, images, model):
    return Run(folder, replace(SETTINGS, data=DataSettings(str(images))), threads=1, start=model)


def lora(folder, images, model):
    return LoRARun(folder, replace(SETTINGS, lora=LoRASettings(rank=2), train_lora=SETTINGS.train_diffusion),
                   threads=1, start=model)


@needs_mpi
@pytest.mark.parametrize("kind", [class_labels_in_buckets, from_a_model, lora])
def test_ranks_train_every_kind_of_run(kind, finished, tmp_path):
    images = shaped_folder(tmp_path / "images", {(32, 16): 6, (24, 24): 6})
    alone, ranked = (kind(tmp_path / name, images, finished.model_folder) for name in ("alone", "ranked"))
    list(alone.train())
    assert trained_by(2, ranked.folder) == (0, "")
    assert_ended_alike(ranked.folder, alone, ("loss", "gradient_norm"))


def test_an_error_is_passed_on_before_all_ranks_are_ended(monkeypatch):
    calls = []
    monkeypatch.setattr(ranks.time, "sleep", lambda seconds: calls.append(("sleep", seconds)))
    ranks.end_all(SimpleNamespace(comm=SimpleNamespace(Abort=lambda code: calls.append(("abort", code)))), 3)
    assert calls == [("sleep", ranks.PASSING_ON), ("abort", 3)]


@needs_mpi
@pytest.mark.parametrize("how, code", [("killed", 9), ("failed", 2)])
def test_a_rank_that_ends_ends_the_run_and_its_last_checkpoint_is_whole(how, code, finished, tmp_path):
    got, errors = trained_by(2, tmp_path / "run", how)
    assert got == code
    assert how == "killed" or re.search("UserError: rank 1 of 2 on .*: it has failed\n", errors)
    wait_until_left(tmp_path / "run")
    assert latest(tmp_path / "run/checkpoints/contrastive")[2]["step"] in (2, 3)
    train(tmp_path / "run")
    assert_ended_alike(tmp_path / "run", finished)


def wait_until_left(folder):
    """mpiexec may end before the processes that it ends."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with held(folder):
                return
        except UserError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@needs_mpi
def test_a_signal_to_all_saves_one_checkpoint_and_one_process_says_so(tmp_path):
    folder = tmp_path / "run"
    process = start(2, "-m", "minidiff", "train", "--preset", "tiny", "--out", folder, "--no-samples", *SMALL)
    wait_for(folder / "metrics.jsonl", process)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.count("minidiff: stopping: ") == errors.count("minidiff: stopped: autoencoder at step ") == 1
    assert "error" not in errors and output == ""
    [checkpoint] = (folder / "checkpoints/autoencoder").iterdir()
    assert f"at step {latest(checkpoint.parent)[2]['step']} of 9000" in errors


def wait_for(path, process):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


@needs_mpi
def test_what_the_first_process_refuses_is_said_once():
    process = start(2, "-m", "minidiff", "train", "--preset", "tiny", "--train_contrastive.batch_size", "1")
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, output) == (2, "")
    assert errors == ("minidiff: error: train_contrastive.batch_size 1 is the batch of all ranks together, and leaves "
                      "some of 2 without images: start at most 1\n")


def test_a_process_that_is_alone_does_not_import_mpi(tmp_path):
    ran = run_python("-c", "import sys; from pathlib import Path; from ranked_runs import by_ranks\n"
                     "by_ranks(Path(sys.argv[1]), 'stop'); print('mpi4py' in sys.modules)", str(tmp_path / "run"))
    assert ran.stdout == "False\n"


@pytest.fixture
def fresh_world():
    world.cache_clear()
    yield
    world.cache_clear()


@pytest.mark.parametrize("mpi, message", [
    (None, r"mpiexec has started this, but mpi4py cannot be loaded \(.*\): pip install minidiff\[mpi\], or train"),
    (1, "mpiexec has started 2 processes, but mpi4py finds 1: it was built for another MPI")])
def test_ranks_that_cannot_find_each_other_are_told_why(mpi, message, fresh_world, monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", mpi and SimpleNamespace(MPI=FakeMPI(1)))
    with pytest.raises(UserError, match=message):
        world()


class FakeMPI:
    """MPI with one communicator, whose other ranks send what this one does, but for `others`, of `allgather`."""

    COMM_TYPE_SHARED, IN_PLACE = 1, "in place"

    def __init__(self, size, others=True):
        self.COMM_WORLD, self.rank, self.size, self.others = self, 0, size, others

    def Split_type(self, kind):
        return self

    def allgather(self, value):
        return [value] + [value and self.others] * (self.size - 1)

    def bcast(self, value):
        return value

    def Allreduce(self, kind, array):
        assert kind == self.IN_PLACE
        array *= self.size


class OnGPU(np.ndarray):
    """An array that can be told from one of the host."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self)

    def get(self):
        return np.array(self)


class FakeNCCL:
    NCCL_FLOAT32, NCCL_SUM, available = 7, 0, True

    def __init__(self):
        self.made = []

    def get_unique_id(self):
        return "name"

    def NcclCommunicator(self, size, name, rank):
        self.made.append((size, name, rank))
        return SimpleNamespace(allReduce=self.add)

    def add(self, source, target, count, kind, operation, stream):
        assert source is target and (count, kind, operation, stream) == (3, self.NCCL_FLOAT32, self.NCCL_SUM, "stream")
        target *= 10


@pytest.fixture
def cuda(monkeypatch):
    """The part of CuPy that ranks use, with two GPUs."""
    used = []
    cuda = SimpleNamespace(nccl=FakeNCCL(), get_current_stream=lambda: SimpleNamespace(ptr="stream"), used=used,
                           Device=lambda number: SimpleNamespace(use=lambda: used.append(number)),
                           runtime=SimpleNamespace(getDeviceCount=lambda: 2))
    cupy = SimpleNamespace(cuda=cuda, asarray=np.asarray)
    cupy.get_array_module = lambda x: cupy if isinstance(x, OnGPU) else np
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupy.cuda", cuda)
    return cuda


@pytest.mark.parametrize("size, others, factor", [(2, True, 10), (3, True, 3), (2, False, 2)],
                         ids=["by NCCL", "three ranks on two GPUs", "another rank has no NCCL"])
def test_gradients_on_gpus_are_added_up_by_nccl_or_through_the_host(size, others, factor, cuda):
    ranks, array = Ranks(FakeMPI(size, others)), np.arange(3, dtype=np.float32).view(OnGPU)
    for _ in range(2):
        ranks.allreduce(array)
    assert_array_equal(np.asarray(array), np.arange(3) * factor**2)
    assert cuda.nccl.made == ([(2, "name", 0)] if factor == 10 else [])


def test_each_process_of_a_machine_uses_a_gpu_of_its_own(cuda, monkeypatch):
    monkeypatch.setattr(ranks, "resolve_device", lambda name: name)
    for rank in range(3):
        mpi = FakeMPI(3)
        mpi.rank = rank
        assert Ranks(mpi).device("cuda") == "cuda"
    assert cuda.used == [0, 1, 0]
    assert Ranks(mpi).device("cpu") == Ranks().device("cpu") == "cpu" and len(cuda.used) == 3


def test_a_rank_that_waits_for_the_first_one_sleeps():
    arrives = time.monotonic() + 0.3
    mpi = FakeMPI(2)
    mpi.iprobe, mpi.recv = (lambda source: time.monotonic() > arrives), (lambda source: "step")
    spent = time.process_time()
    assert Ranks(mpi).hear() == "step"
    assert time.process_time() - spent < 0.1
