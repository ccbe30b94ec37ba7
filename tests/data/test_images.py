"""Images and masks of every kind that people have become the arrays that their ordinary copies become."""

from __future__ import annotations

import io
import os
import sys

import numpy as np
import pytest
from image_files import encoded
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from run_python import run_python

from minidiff.data.images import as_image, as_mask, at_once, decoded, latent_mask, open_image, to_pillow
from minidiff.errors import UserError

RAMP = np.arange(0, 256, dtype=np.uint8).reshape(8, 32)


def test_a_latent_is_painted_where_any_of_its_pixels_is():
    mask = np.zeros((4, 6, 1), np.float32)
    mask[1, 2], mask[3, 5] = 1.0, 0.5
    assert_array_equal(latent_mask(mask, 2)[..., 0], [[0, 1, 0], [0, 0, 0.5]])


def test_large_images_are_computed_fewer_at_once():
    assert [at_once(32, size) for size in (16, 64, 65, 128, 512)] == [32, 32, 31, 8, 1]


def test_images_survive_the_round_trip_through_floats():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    assert_array_equal(np.asarray(to_pillow(as_image(image)[None])[0]), np.asarray(image))
    fine = np.full((2, 3, 3), 0.1234, np.float32)
    assert_array_equal(as_image(fine, (2, 3)), fine)
    assert as_image(fine, (4, 5)).shape == (4, 5, 3)
    assert_array_equal(as_mask(np.array([[True, False]]))[..., 0], [[1, 0]])
    assert_array_equal(as_mask(np.array([[1.0, 0.2]]))[..., 0], np.float32([[1, 0.2]]))


@pytest.mark.parametrize("name", ["a.png", "a.tiff", "a.pgm", "a.jp2"])
def test_gray_of_16_bits_is_its_8_bit_copy_as_an_image_and_as_a_mask(tmp_path, name):
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / name)
    expected = Image.fromarray(RAMP)
    with Image.open(tmp_path / name) as opened:
        for deep in (tmp_path / name, str(tmp_path / name), opened, open_image(tmp_path / name)):
            assert_array_equal(as_image(deep), as_image(expected))
            assert_array_equal(as_mask(deep), as_mask(expected))


def test_the_transparent_gray_of_16_bits_is_white(tmp_path):
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    deep.save(tmp_path / "a.png", transparency=3 * 257)
    expected = RAMP.copy()
    expected[expected == 3] = 255
    assert_array_equal(as_mask(tmp_path / "a.png"), as_mask(expected))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_gray_of_32_bits_is_scaled_by_its_own_range(mode):
    deep = Image.fromarray(RAMP.astype(np.int32 if mode == "I" else np.float32) * 1000 - 7)
    assert_array_equal(as_mask(deep), as_mask(Image.fromarray(RAMP)))
    assert_array_equal(as_image(deep), as_image(Image.fromarray(RAMP)))


def test_arrays_of_16_bits_are_their_8_bit_copies():
    colour = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    assert_array_equal(as_image(colour.astype(np.uint16) * 257), as_image(colour))
    assert_array_equal(as_mask(RAMP.astype(np.uint16) * 257), as_mask(RAMP))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "RGBa", "La"])
def test_what_is_transparent_is_white_in_an_image_and_in_a_mask(mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    image.paste((9, 9, 9, 0), (0, 0, 4, 8))
    if mode in ("P", "PA"):
        gray = image.convert("L").convert("P")
        gray.info["transparency"] = gray.getpixel((0, 0))
        image = gray if mode == "P" else gray.convert("PA")
    else:
        image = image.convert("LA" if mode in ("LA", "La") else "RGBA").convert(mode)
    assert_array_equal(as_image(image)[0], np.repeat([[1.0], [-1.0]], 4, axis=0).repeat(3, axis=1))
    assert_array_equal(as_mask(image)[0, :, 0], [1] * 4 + [0] * 4)


def test_a_cut_out_array_is_on_white():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    assert_array_equal(as_image(pixels)[:, 0, 0], [-1] * 4 + [1] * 4)


def test_an_image_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(encoded(Image.fromarray(RAMP), "PNG", exif=exif))) as image:
        assert as_image(image).shape == (32, 8, 3)


def test_colours_of_a_lab_image_are_converted(tmp_path):
    Image.new("LAB", (8, 8), (138, 209, 198)).save(tmp_path / "lab.tiff")
    assert_allclose(as_image(tmp_path / "lab.tiff")[0, 0], [1, -1, -1], rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", ["AVIF", "TIFF", "PNG", "JPEG", "WEBP", "GIF", "BMP", "JPEG2000", "DDS", "BLP"])
def test_damaged_files_are_one_line(tmp_path, kind):
    rng, path = np.random.default_rng(0), tmp_path / "photo"
    image = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    data = encoded(image.quantize() if kind == "BLP" else image.convert("LAB") if kind == "TIFF" else image, kind)
    for _ in range(20):
        damaged = bytearray(data[: rng.integers(1, len(data))] if rng.random() < 0.5 else data)
        for place in rng.integers(0, min(len(damaged), 200), 5):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        for use in (open_image, as_mask):
            try:
                assert np.isfinite(np.asarray(use(path))).all()
            except UserError as error:
                assert str(error).startswith(f"cannot read {path}: ") and len(str(error)) < 300


def test_what_is_no_file_of_an_image_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "page.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n")
    for name, words in (("pipe.png", "not a file"), ("", "not a file"), ("gone.png", "No such file or directory"),
                        ("page.eps", "not an image")):
        with pytest.raises(UserError, match=f"cannot read .*: {words}; give an image file"):
            open_image(tmp_path / name)
    with pytest.raises(UserError, match="not a file"):
        open_image("/dev/zero")


@pytest.mark.parametrize("image", [None, 3, b"photo.png", [[0, 1]], {"a": 1}, object(), np.zeros((3, 4)), np.zeros(3),
                                   np.full((4, 4, 3), np.nan), np.zeros((4, 4, 3), complex), np.zeros((4, 4, 2), "u1"),
                                   np.zeros((0, 4, 3), np.uint8), np.array("photo.png"), np.zeros((4, 4, 3), object),
                                   np.zeros((4, 4, 3), bool)])
def test_what_is_no_image_is_refused(image):
    for use in (decoded, as_image, as_mask):
        if use is as_mask and isinstance(image, np.ndarray) and image.shape == (3, 4):
            continue  # a black mask
        with pytest.raises(UserError):
            use(image)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes")
def test_a_huge_image_is_scaled_before_it_is_converted_to_floats(tmp_path):
    Image.new("RGB", (6000, 6000)).save(tmp_path / "huge.png")
    code = ("import resource, sys\nfrom minidiff.data.images import as_image\nbefore = "
            "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nas_image(sys.argv[1], (16, 16))\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)")
    kilobytes = int(run_python("-c", code, str(tmp_path / "huge.png")).stdout)
    assert kilobytes < 2.2 * 3 * 6000**2 / 1024  # floats alone would be four times the bytes


def test_too_many_pixels_are_called_so(tmp_path):
    Image.new("1", (14000, 14000)).save(tmp_path / "bomb.png")
    with pytest.raises(UserError, match="too many pixels: too large; scale it down"):
        open_image(tmp_path / "bomb.png")


def test_an_image_with_a_side_that_would_be_scaled_in_gigabytes_is_refused(tmp_path):
    for size in ((1, 65_536), (65_536, 1)):
        Image.new("1", size).save(tmp_path / "line.png")
        with pytest.raises(UserError, match=r"65536.* pixels: too large; scale it down"):
            open_image(tmp_path / "line.png")
