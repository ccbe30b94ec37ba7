"""Training states survive kills, full disks and flipped bits, or say clearly that they did not."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import hypothesis.extra.numpy as arrays_of
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from run_python import ENVIRONMENT, run_python
from safetensors.numpy import load_file

from minidiff.errors import UserError
from minidiff.storage.checkpoint import latest, list_checkpoints, load_checkpoint, save_checkpoint, save_step

ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(7), "none": np.zeros((0, 2), "f2")}
STATE = {"step": 7, "loss": 0.1 + 0.2, "text": "Grüße\n☃", "none": None}


def assert_same_arrays(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == value.dtype
        np.testing.assert_array_equal(got[name], value)


def one_line(error):
    message = str(error.value)
    assert message and "\n" not in message
    return message


@given(st.dictionaries(st.text(max_size=5).filter("__metadata__".__ne__), arrays_of.arrays(
           st.sampled_from(["f2", "f4", "f8", "i4", "i8", "u1", "u8", "?"]),
           arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)), max_size=4),
       st.dictionaries(st.text(max_size=5), st.recursive(
           st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)),
           max_size=4))
def test_any_arrays_and_state_come_back_as_they_were(tmp_path_factory, arrays, state):
    path = tmp_path_factory.mktemp("state") / "a.safetensors"
    save_checkpoint(path, arrays, state)
    got, got_state = load_checkpoint(path)
    assert_same_arrays(got, arrays)
    assert got_state == state


def test_a_checkpoint_is_a_safetensors_file_that_others_may_read(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    save_checkpoint(path, ARRAYS, STATE)
    assert_same_arrays(load_file(path), ARRAYS)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert os.listdir(path.parent) == ["a.safetensors"]


def test_truncation_anywhere_and_a_flipped_bit_in_any_byte_are_noticed(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"weight": np.arange(6, dtype=np.float32)}, {"step": 7})
    whole = path.read_bytes()

    def notices():
        with pytest.raises(UserError, match=r"a\.safetensors") as error:
            load_checkpoint(path)
        one_line(error)

    with open(path, "r+b", buffering=0) as file:
        for position, byte in enumerate(whole):
            os.pwrite(file.fileno(), bytes([byte ^ 1 << position % 8]), position)
            notices()
            os.pwrite(file.fileno(), bytes([byte]), position)
        os.pwrite(file.fileno(), b"\0", len(whole))
        notices()
        for length in reversed(range(len(whole))):
            os.truncate(path, length)
            notices()


def test_a_model_file_is_not_a_checkpoint(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["os.replace", "os.fsync"])
def test_a_write_that_fails_keeps_the_old_checkpoint(tmp_path, monkeypatch, fault, call):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, ARRAYS, STATE)

    def fail(*_):
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises((UserError, KeyboardInterrupt)) as error:
            save_checkpoint(path, {"weight": np.ones(3)}, {})
    if isinstance(fault, OSError):
        assert "cannot write" in one_line(error) and "No space left" in one_line(error)
    assert_same_arrays(load_checkpoint(path)[0], ARRAYS)
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file") as error:
        save_checkpoint(tmp_path / "file" / "a.safetensors", ARRAYS, STATE)
    one_line(error)


@pytest.mark.parametrize("dtype", [">f4", "c16", "U3"])
def test_an_array_that_the_format_lacks_is_named(tmp_path, dtype):
    with pytest.raises(UserError, match=r"cannot write weight in .*: use one of <f8, <f4") as error:
        save_checkpoint(tmp_path / "a.safetensors", {"weight": np.ones(2).astype(dtype)}, {})
    one_line(error)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="limits on file sizes are POSIX")
def test_a_full_disk_keeps_the_old_checkpoint(tmp_path):
    program = """
        import resource, sys
        import numpy as np
        from minidiff.storage.checkpoint import load_checkpoint, save_checkpoint
        save_checkpoint(sys.argv[1], {"a": np.ones(3)}, {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            save_checkpoint(sys.argv[1], {"a": np.ones(100_000)}, {})
        except ValueError as error:
            print(error)
        assert load_checkpoint(sys.argv[1])[0]["a"].size == 3
        """
    done = run_python("-c", textwrap.dedent(program), tmp_path / "a")
    assert "cannot write" in done.stdout and done.stdout.count("\n") == 1


def test_whenever_a_process_is_killed_a_whole_checkpoint_is_left(tmp_path):
    program = """
        import sys
        import numpy as np
        from minidiff.storage.checkpoint import save_step
        for step in range(1_000_000):
            save_step(sys.argv[1], step, {"a": np.full(100_000, step)}, {"step": step})
            if step == 1:
                print("ready", flush=True)
        """
    for delay in (0.0, 0.004, 0.013):
        command = [sys.executable, "-c", textwrap.dedent(program), tmp_path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as run:
            assert run.stdout.readline() == b"ready\n"
            time.sleep(delay)
            run.send_signal(signal.SIGKILL)
        _, arrays, state = latest(tmp_path)
        np.testing.assert_array_equal(arrays["a"], np.full(100_000, state["step"]))


def test_the_last_two_checkpoints_are_kept(tmp_path):
    (tmp_path / "checkpoint-00000005-mine.safetensors").touch()
    for step in (5, 10, 99_999_999, 100_000_000):
        save_step(tmp_path, step, ARRAYS, {"step": step})
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-99999999.safetensors",
                                                                  "checkpoint-100000000.safetensors"]
    assert latest(tmp_path)[2] == {"step": 100_000_000}


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(tmp_path):
    for step in (1, 2):
        newest = save_step(tmp_path, step, ARRAYS, {"step": step})
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="checkpoint-00000002.*trying the one before it"):
        path, arrays, state = latest(tmp_path)
    assert path.name == "checkpoint-00000001.safetensors" and state == {"step": 1}
    assert_same_arrays(arrays, ARRAYS)


def test_checkpoints_of_later_steps_are_removed_by_a_run_that_went_back(tmp_path):
    for step in (10, 20, 15):
        save_step(tmp_path, step, ARRAYS, {"step": step})
    assert latest(tmp_path)[2] == {"step": 15}
    assert len(list_checkpoints(tmp_path)) == 2


def test_no_checkpoint_is_none_and_only_damaged_ones_are_an_error(tmp_path):
    assert latest(tmp_path) is None
    assert latest(tmp_path / "nowhere") is None
    save_step(tmp_path, 1, ARRAYS, STATE).write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(UserError, match="all checkpoints"):
        latest(tmp_path)
