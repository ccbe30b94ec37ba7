from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from image_files import encoded, png
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, features

from minidiff.data.reading.decode import decode
from minidiff.errors import UserError

RAMP = np.arange(0, 256, dtype=np.uint8).reshape(8, 32)
GRAY = Image.fromarray(RAMP)


def decoded(image, file_format="PNG", **options):
    result = decode(encoded(image, file_format, **options))
    assert result.mode == "RGB"
    return np.asarray(result)


def in_three(channel):
    return np.repeat(np.asarray(channel)[..., None], 3, axis=-1)


def of_one(mode, value, size=(8, 9)):
    return Image.new(mode, size, value)


@pytest.mark.parametrize(("image", "file_format", "pixel"), [
    (of_one("1", 1), "PNG", (255, 255, 255)),
    (of_one("L", 77), "PNG", (77, 77, 77)),
    (of_one("LA", (0, 51)), "PNG", (204, 204, 204)),
    (of_one("RGBA", (255, 0, 0, 51)), "PNG", (255, 204, 204)),
    (of_one("RGBA", (9, 9, 9, 0)), "WEBP", (255, 255, 255)),
    (of_one("CMYK", (255, 0, 0, 0)), "TIFF", (0, 255, 255)),
    (of_one("LAB", (255, 128, 128)), "TIFF", (255, 255, 255)),
    (of_one("LAB", (138, 209, 198)), "TIFF", (255, 0, 0)),
    (of_one("YCbCr", (255, 128, 128)), "TIFF", (255, 255, 255)),
])
def test_each_mode_becomes_rgb_on_white(image, file_format, pixel):
    options = {"lossless": True} if file_format == "WEBP" else {}
    assert_allclose(decoded(image, file_format, **options), np.broadcast_to(pixel, (9, 8, 3)), rtol=0, atol=5)


def test_a_palette_keeps_its_colours_and_its_transparency():
    image = of_one("P", 1)
    image.putpalette([0, 0, 0, 250, 100, 50])
    assert_array_equal(decoded(image)[0, 0], [250, 100, 50])
    assert_array_equal(decoded(image, transparency=1)[0, 0], [255, 255, 255])
    assert_array_equal(decoded(image, transparency=0)[0, 0], [250, 100, 50])
    assert_array_equal(decoded(image, transparency=bytes([255, 0]))[0, 0], [255, 255, 255])
    assert_array_equal(decoded(image, "GIF")[0, 0], [250, 100, 50])


@pytest.mark.parametrize(("mode", "value"), [("L", 7), ("RGB", (7, 8, 9)), ("1", 0)])
def test_one_transparent_colour_is_white(mode, value):
    assert_array_equal(decoded(of_one(mode, value), transparency=value), np.full((9, 8, 3), 255))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
def test_gray_of_16_bits_equals_its_8_bit_copy(file_format):
    image = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert_array_equal(decoded(image, file_format), in_three(RAMP))
    dark = Image.fromarray(np.minimum(RAMP, 9).astype(np.uint16) * 257)
    assert_array_equal(decoded(dark, file_format), in_three(np.minimum(RAMP, 9)))


def test_big_endian_gray_of_16_bits_is_the_same():
    big = Image.frombytes("I;16B", GRAY.size, (RAMP.astype(">u2") * 257).astype(">u2").tobytes())
    data = encoded(big, "TIFF")
    assert_array_equal(np.asarray(decode(data)), in_three(RAMP))


def test_gray_of_32_bits_is_scaled_by_its_own_range():
    wide = RAMP.astype(np.int64) * 1_000_000 - 77
    assert_array_equal(decoded(Image.fromarray(wide.astype(np.int32)), "TIFF"), in_three(RAMP))
    real = RAMP.astype(np.float32) / 255 - 3
    for file_format in ("TIFF", "PPM"):
        assert_array_equal(decoded(Image.fromarray(real), file_format), in_three(RAMP))
    real[0, :3] = np.nan, np.inf, -np.inf
    assert_array_equal(decoded(Image.fromarray(real), "TIFF")[0, :4, 0], [0, 255, 0, 0])
    assert_array_equal(decoded(Image.fromarray(np.full((8, 8), 0.5, np.float32)), "TIFF"), np.zeros((8, 8, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright(orientation, file_format):
    upright = Image.new("L", (16, 24), 255)
    upright.paste(0, (0, 0, 8, 8))  # a black corner, at the top left
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the camera's view, as Image.Transpose
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_allclose(decoded(stored, file_format, exif=exif), in_three(upright), rtol=0, atol=60)


def test_a_damaged_exif_block_leaves_the_image_usable():
    assert_array_equal(decoded(GRAY, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), in_three(RAMP))


def test_an_animation_shows_its_first_frame():
    frames = [of_one("RGB", (value, 0, 0)) for value in (255, 0, 100)]
    for file_format in ("GIF", "PNG", "TIFF"):
        assert_array_equal(decoded(frames[0], file_format, save_all=True, append_images=frames[1:])[0, 0], [255, 0, 0])


def test_a_colour_profile_is_ignored():
    assert_array_equal(decoded(GRAY, icc_profile=b"none at all"), in_three(RAMP))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "P"])
def test_with_alpha_transparency_is_kept_and_nothing_is_scaled(mode):
    image = Image.new("RGBA", (40, 24), (200, 100, 50, 80)).convert(mode)
    options = {"transparency": image.getpixel((0, 0))} if mode == "P" else {}
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    read = decode(encoded(image, "PNG", exif=exif, **options), at_least=8, alpha=True)
    assert (read.mode, read.size) == ("RGBA", (24, 40))
    alpha = {"RGBA": 80, "LA": 80, "RGB": 255, "P": 0}[mode]
    assert read.getpixel((0, 0)) == (*image.convert("RGB").getpixel((0, 0)), alpha)
    assert decode(np.zeros((9, 8, 3), np.uint8), alpha=True).getpixel((0, 0)) == (0, 0, 0, 255)
    with pytest.raises(UserError, match="not an image"):
        decode(b"nothing", alpha=True)


def test_arrays_are_images():
    assert_array_equal(np.asarray(decode(in_three(RAMP))), in_three(RAMP))


def test_a_large_jpeg_is_decoded_no_larger_than_needed():
    data = encoded(Image.linear_gradient("L").resize((640, 480)), "JPEG")
    sizes = {at_least: decode(data, at_least=at_least).size for at_least in (60, 61, 120, 200, 240, 241, 1000)}
    assert sizes == {60: (80, 60), 61: (160, 120), 120: (160, 120), 200: (320, 240), 240: (320, 240), 241: (640, 480),
                     1000: (640, 480)}
    small = np.asarray(decode(data).convert("L").resize((80, 60), Image.Resampling.BOX), np.float32)
    assert np.abs(np.asarray(decode(data, at_least=60))[..., 0] - small).mean() < 2


def png_file(width, height, bits, colour, rows=b"", transparent=b""):
    """A PNG file with these bytes as its rows; `colour` is 0 for gray, 2 for RGB."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    header += chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("colour", "bits"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)])
def test_one_transparent_colour_of_any_depth_is_white_and_no_other_is(colour, bits):
    channels, most = 3 if colour else 1, 2**bits - 1
    for transparent in {0, 1, most // 2, most}:
        values = np.array([transparent, most - transparent] * 4).repeat(channels)
        digits = "".join(f"{value:0{bits}b}" for value in values)
        row = b"\0" + int(digits, 2).to_bytes(len(digits) // 8, "big")
        data = png_file(8, 8, bits, colour, row * 8, struct.pack(">H", transparent) * channels)
        expected = np.where(values == transparent, 255, np.round(values * 255 / most)).reshape(8, channels)
        assert_allclose(np.asarray(decode(data)), np.broadcast_to(expected, (8, 8, 3)), rtol=0, atol=1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16"])
def test_a_large_image_is_scaled_down_by_a_whole_number(mode):
    ramp = Image.linear_gradient("L").resize((400, 300))
    file_format = "TIFF" if mode == "CMYK" else "PNG"
    whole, small = (decode(encoded(ramp.convert(mode), file_format), at_least=least) for least in (None, 70))
    assert (whole.size, small.size) == ((400, 300), (100, 75))
    assert_allclose(np.asarray(small), np.asarray(whole.reduce(4)), rtol=0, atol=2)


def png_header(width, height):
    """A PNG file that claims a size and has no pixels."""
    return png_file(width, height, 8, 2)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("data", "reason"), [
    (b"", "empty"),
    (b"hello", "not an image"),
    (b"\x89PNG\r\n\x1a\n", "not an image"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not an image"),
    (png(size=(4, 4)), "4 x 4 pixels: too small"),
    (png(size=(99, 7)), "99 x 7 pixels: too small"),
    (np.zeros((4, 9, 3), np.uint8), "9 x 4 pixels: too small"),
    (png_header(10_001, 10_000), "10001 x 10000 pixels: too large"),
    (png_header(2**31 - 1, 2**31 - 1), "too large"),
    (png_header(64, 64), "truncated"),
    *[(encoded(NOISE, file_format)[:-2000], "truncated") for file_format in ("PNG", "JPEG", "GIF", "BMP", "PPM")],
    *[(encoded(NOISE, file_format)[:-2000], "damaged|not an image|truncated") for file_format in ("WEBP", "TIFF")],
])
def test_what_is_no_usable_image_is_an_error_with_a_short_reason(data, reason):
    with pytest.raises(UserError, match=f"^({reason})$|{reason}$"):
        decode(data)


@pytest.mark.parametrize(("file_format", "mode"), [
    *[(name, "RGB") for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "DDS")],
    ("TIFF", "LAB"), ("TIFF", "F"), ("PNG", "P"), ("JPEG", "CMYK"), ("BLP", "P")])
def test_damaged_bytes_raise_nothing_but_the_users_error(file_format, mode):
    if file_format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    image = Image.merge("LAB", NOISE.split()) if mode == "LAB" else NOISE.convert(mode)
    rng, data = np.random.default_rng(1), encoded(image, file_format)
    for _ in range(60):
        damaged = bytearray(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
        for index in rng.integers(0, min(len(damaged), 400), 4):
            damaged[index] = rng.integers(256)
        try:
            assert decode(bytes(damaged)).mode == "RGB"
        except UserError as error:
            assert 0 < len(str(error)) < 60
