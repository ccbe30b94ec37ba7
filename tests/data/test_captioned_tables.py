from __future__ import annotations

import json
import sys
import zipfile

import numpy as np
import pytest
from image_files import found_in, png, write_files
from numpy.testing import assert_array_equal

from minidiff.data.reading import npz_images
from minidiff.data.reading.find import find
from minidiff.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3), dtype=np.uint8)


def npz(folder, **arrays):
    np.savez_compressed(folder / "x.npz", **arrays)
    return folder / "x.npz"


def captions(path, **options):
    return [item.caption for item in find(path, **options).items]


def test_an_npz_file_holds_images_and_captions(tmp_path):
    found = find(npz(tmp_path, images=IMAGES, captions=["a cat", "", "two  dogs"]))
    assert found.form == "npz"
    assert [item[:2] for item in found.items] == [("0", "a cat"), ("2", "two dogs")]
    assert_array_equal(found.items[1].read(), IMAGES[2])
    assert found.problems == [("1", "its caption is empty")]
    found.items[0].read()[:] = 0
    assert_array_equal(found.items[0].read(), IMAGES[0])


@pytest.mark.parametrize("gray", [IMAGES[..., 0], IMAGES[..., :1]])
def test_gray_arrays_are_rgb(tmp_path, gray):
    [item, *_] = find(npz(tmp_path, x_train=gray, y_train=[[0], [1], [2]])).items
    assert_array_equal(item.read(), np.repeat(IMAGES[0, ..., :1], 3, axis=-1))


@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("x_train", "y_train"), ("data", "labels")])
def test_labels_are_captions_by_their_names(tmp_path, keys):
    labelled = dict(zip(keys, (IMAGES, np.array([2, 0, 1], np.uint8)), strict=True))
    assert captions(npz(tmp_path, **labelled)) == ["a 2", "a 0", "a 1"]
    path = npz(tmp_path, **labelled, class_names=["cat", "fire_truck"])
    assert captions(path) == ["a cat", "a fire truck"]
    assert find(path).problems == [("0", "its label has no name")]
    path = npz(tmp_path, **labelled, names=np.array([b"x", b"y", b"z"]))
    assert captions(path, caption_template="{}!") == ["z!", "x!", "y!"]


@pytest.mark.parametrize(("arrays", "reason"), [
    ({"captions": ["a"] * 3}, "has no images"),
    ({"images": IMAGES}, "neither captions nor"),
    ({"images": IMAGES, "labels": [0.5, 1, 2]}, "neither captions nor"),
    ({"images": IMAGES, "captions": ["a"] * 2}, "3 images, but 2 captions"),
    ({"images": IMAGES, "captions": [1, 2, 3]}, "captions or names of"),
    ({"images": IMAGES.astype(np.float32), "captions": ["a"] * 3}, r"float32 \(3, 8, 9, 3\)"),
    ({"images": IMAGES.transpose(0, 3, 1, 2), "captions": ["a"] * 3}, "uint8"),
    ({"images": IMAGES, "captions": np.array(["a", "b", None])}, "Python objects"),
])
def test_bad_arrays_are_errors(tmp_path, arrays, reason):
    with pytest.raises(UserError, match=reason):
        find(npz(tmp_path, **arrays))


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x93NUMPY", b"PK\3\4 and no more"])
def test_a_file_that_is_no_npz_is_an_error(tmp_path, content):
    with pytest.raises(UserError, match="cannot read"):
        find(write_files(tmp_path, {"x.npz": content}) / "x.npz")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install minidiff\[parquet\]"):
        find(write_files(tmp_path, {"x.parquet": b""}))


@pytest.fixture
def parquet():
    return pytest.importorskip("pyarrow.parquet")


def write_parquet(parquet, path, images, texts, column="text"):
    import pyarrow

    parquet.write_table(pyarrow.table({"id": [*range(len(images))], column: texts, "image": images}), path,
                        row_group_size=2)
    return path


def test_parquet_rows_are_captioned_images(tmp_path, parquet):
    write_files(tmp_path, {"a/beside.png": 7, "secret.png": 8})
    rows = [{"bytes": png(1), "path": "1.png"}, {"bytes": png(2), "path": None}, {"bytes": png(3), "path": ""},
            {"bytes": None, "path": "beside.png"}]
    write_parquet(parquet, tmp_path / "a/0.parquet", rows, ["one", None, "three", "beside"])
    write_parquet(parquet, tmp_path / "a/1.parquet", [png(4), png(5)], ["four", " five "])
    assert found_in(tmp_path / "a/0.parquet") == (
        "Parquet", {"0": ("one", 1), "2": ("three", 3), "3": ("beside", 7)}, {"1": "its caption is empty or no text"})
    (tmp_path / "a/beside.png").rename(tmp_path / "elsewhere.png")
    assert len(find(tmp_path / "a").items) == len(find(tmp_path / "a/*.parquet").items) == 5
    form, items, _ = found_in(tmp_path / "a/1*")
    assert (form, items) == ("Parquet", {"1.parquet/0": ("four", 4), "1.parquet/1": ("five", 5)})


def test_labels_of_a_parquet_file_have_the_names_that_hugging_face_keeps_in_it(tmp_path, parquet):
    path = write_parquet(parquet, tmp_path / "x.parquet", [png(1), png(2), png(3)], [1, 0, -1], column="label")
    assert captions(path, caption_column="label", caption_template="{}!")[:2] == ["1!", "0!"]
    for names, expected in ((["cat", "fire_truck"], ["a fire truck", "a cat"]), (["cat", 5], ["a 1", "a 0", "a 1"])):
        notes = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        parquet.write_table(parquet.read_table(path).replace_schema_metadata({"huggingface": json.dumps(notes)}), path)
        assert captions(path, caption_column="label") == expected
    write_parquet(parquet, path, [png(1), png(2)], [["a cat", "a dog"], []])
    assert captions(path) == ["a cat"]


def test_paths_in_a_parquet_file_lead_to_no_file_elsewhere(tmp_path, parquet):
    write_files(tmp_path, {"a/x.txt": "", "secret.png": 8})
    paths = ["../secret.png", str(tmp_path / "secret.png"), "gone.png"]
    rows = [{"bytes": None, "path": path} for path in [*paths, None]] + [{"bytes": png(1), "path": ""}]
    for item in find(write_parquet(parquet, tmp_path / "a/x.parquet", rows, ["a"] * 5)).items[:4]:
        with pytest.raises(UserError, match=r"not beside|no image"):
            item.read()


def test_bad_parquet_files_are_errors(tmp_path, parquet):
    path = write_parquet(parquet, tmp_path / "x.parquet", [png(1)], ["one"], column="caption")
    with pytest.raises(UserError, match="no column 'text', only 'id', 'caption', 'image'"):
        find(path)
    assert captions(path, caption_column="caption") == ["one"]
    write_parquet(parquet, path, ["a.png"], ["one"])
    with pytest.raises(UserError, match="no column of images among 'id', 'text', 'image'"):
        find(path)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="cannot read"):
        find(path)


def test_an_npz_file_with_other_things_in_the_place_of_arrays_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("images.npy", b"no array")
        file.writestr("labels.npy", b"")
    with pytest.raises(UserError, match="images is no array"):
        find(tmp_path / "x.npz")
    with pytest.raises(UserError, match=r"\(3, 0, 20, 3\): store them as"):
        find(npz(tmp_path, images=np.zeros((3, 0, 20, 3), np.uint8), labels=[0, 1, 2]))
    monkeypatch.setattr(npz_images, "LARGEST", 3000)
    with pytest.raises(UserError, match=r"images takes .* GB, more than"):
        find(npz(tmp_path, images=np.zeros((3, 20, 20, 3), np.uint8), labels=[0, 1, 2]))
