from __future__ import annotations

import json
import os
import tracemalloc

import pytest
from image_files import found_in, png, write_files

from minidiff.data.reading.captions import from_file_name
from minidiff.data.reading.file_tree import FileTree
from minidiff.data.reading.find import find
from minidiff.errors import UserError


def rows(*pairs, column="text"):
    return "\n".join(json.dumps({"file_name": name, column: caption}) for name, caption in pairs)


def test_an_image_folder_takes_its_captions_from_json_lines(tmp_path):
    write_files(tmp_path, {"b.png": 2, "a.JPG": 1, "sub/c.png": 3, "lonely.png": 4, "empty.png": 5,
                           "metadata.jsonl": "\n[1]\nno json\n" + rows(
                               ("b.png", " a  green\ncat "), ("./a.JPG", "a dog"), ("sub/c.png", "é"),
                               ("gone.png", "x"), ("empty.png", " "))})
    form, items, problems = found_in(tmp_path)
    assert form == "ImageFolder"
    assert items == {"a.JPG": ("a dog", 1), "b.png": ("a green cat", 2), "sub/c.png": ("é", 3)}
    assert problems == {"lonely.png": "no row of the metadata names it", "empty.png": "its caption is empty or no text",
                        "gone.png": "a row of metadata.jsonl, but there is no such image",
                        "metadata.jsonl, line 2": "not a JSON object", "metadata.jsonl, line 3": "not a JSON object"}


def test_each_subfolder_may_have_a_table_of_its_own(tmp_path):
    write_files(tmp_path, {"train/a.png": 1, "test/a.png": 2,
                           "train/metadata.csv": "\ufefffile_name,text\na.png,\"a, b\"\n",
                           "test/metadata.csv": "text,file_name\r\nc,a.png\r\n"})
    assert found_in(tmp_path) == ("ImageFolder", {"test/a.png": ("c", 2), "train/a.png": ("a, b", 1)}, {})


def test_the_first_row_of_an_image_is_used_and_json_lines_before_csv(tmp_path):
    write_files(tmp_path, {"a.png": 1, "metadata.jsonl": rows(("a.png", "one"), ("a.png", "two")),
                           "metadata.csv": "file_name,text\na.png,three\n"})
    _, items, problems = found_in(tmp_path)
    assert items == {"a.png": ("one", 1)}
    assert problems == {"a.png": "more than one row of metadata.jsonl: the first is used",
                        "metadata.csv": "not used, as metadata.jsonl is beside it"}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_long_table_takes_little_more_memory_than_its_bytes(tmp_path, form):
    texts = [f"{number} " + 5000 * "x" for number in range(1000)]
    table = (rows(*((f"{number}.png", text) for number, text in enumerate(texts))) if form == "jsonl" else
             "file_name,text\n" + "\n".join(f"{number}.png,{text}" for number, text in enumerate(texts)))
    write_files(tmp_path, {"0.png": 1, f"metadata.{form}": table})
    tracemalloc.start()
    assert len(find(tmp_path).items) == 1
    assert tracemalloc.get_traced_memory()[1] < 1.5 * len(table)
    tracemalloc.stop()


def test_the_caption_column_is_named_by_the_user(tmp_path):
    write_files(tmp_path, {"a.png": 1, "metadata.jsonl": rows(("a.png", "a cat"), column="caption")})
    with pytest.raises(UserError, match=r"no column 'text', only 'file_name', 'caption': .* --caption-column"):
        find(tmp_path)
    assert found_in(tmp_path, caption_column="caption")[1] == {"a.png": ("a cat", 1)}


@pytest.mark.parametrize(("table", "reason"), [
    (b"image,text\na.png,cat\n", "no column 'file_name', only 'image', 'text'"),
    (b"file_name;text\na.png;cat\n", "only 'file_name;text': separate its columns by commas"),
    (b"", "no column 'file_name', only none"),
    (b"file_name,text\na.png,\xff\n", "not UTF-8"),
    (b"file_name,text\na.png," + b"x" * 200_000, "field larger than field limit"),
])
def test_a_bad_table_is_an_error(tmp_path, table, reason):
    write_files(tmp_path, {"a.png": 1, "metadata.csv": table})
    with pytest.raises(UserError, match=reason):
        find(tmp_path)


def test_rows_lead_to_no_file_outside_the_folder(tmp_path):
    write_files(tmp_path, {"secret.png": 9, "images/a.png": 1})
    outside = str(tmp_path / "secret.png")
    write_files(tmp_path / "images", {"metadata.jsonl": rows(("../secret.png", "s"), (outside, "s"), ("a.png", "a"))})
    _, items, problems = found_in(tmp_path / "images")
    assert (items, {*problems}) == ({"a.png": ("a", 1)}, {"../secret.png", outside})


def test_the_first_line_of_a_text_file_beside_an_image_is_its_caption(tmp_path):
    write_files(tmp_path, {"x.png": 1, "x.txt": "\n\n1girl, red hair, smile\nmore\n",
                           "y.webp": png(2), "y.txt": "\ufeffü", "sub/z.png": 3, "sub/z.txt": "z",
                           "no.png": 4, "blank.png": 5, "blank.txt": "\n \n",
                           "latin.png": 6, "latin.txt": b"caf\xe9", "other.txt": "of no image"})
    form, items, problems = found_in(tmp_path)
    assert form == "text files"
    assert items == {"x.png": ("1girl, red hair, smile", 1), "y.webp": ("ü", 2), "sub/z.png": ("z", 3)}
    assert problems == {"no.png": "no text file beside it", "blank.png": "its caption is empty or no text",
                        "latin.png": "the text file beside it: not UTF-8 text: save it as UTF-8",
                        "other.txt": "this text file is not used: give image and text the same name, "
                                     "cat.jpg and cat.txt"}


@pytest.mark.parametrize(("text", "image"), [("DSC00.TXT", "DSC00.JPG"), ("DSC00.caption", "DSC00.jpg")])
def test_endings_of_text_files_are_of_any_case_and_kohyas_too(tmp_path, text, image):
    assert found_in(write_files(tmp_path, {image: 1, text: "a cat"})) == ("text files", {image: ("a cat", 1)}, {})


def test_text_files_that_no_image_uses_are_named(tmp_path):
    write_files(tmp_path, {"cats/1.jpg": 1, "cats/1.jpg.txt": "a cat", "cats/2.txt": "a dog", "notes.txt": "none"})
    form, _, problems = found_in(tmp_path)
    assert form == "class folders"
    assert problems == {"cats/1.jpg.txt": "this text file and 1 more are not used: give image and text the same name, "
                                          "cat.jpg and cat.txt"}


@pytest.mark.parametrize(("value", "caption"), [
    (7, "a 7"), (["a cat", "a dog"], "a cat"), ([], None), (True, None), (0.5, None), ({"en": "a cat"}, None)])
def test_labels_and_lists_are_captions_too(tmp_path, value, caption):
    write_files(tmp_path, {"a.png": 1, "metadata.jsonl": rows(("a.png", value))})
    _, items, problems = found_in(tmp_path)
    assert items == ({"a.png": (caption, 1)} if caption else {})
    assert problems == ({} if caption else {"a.png": "its caption is empty or no text"})


def test_images_of_formats_that_are_not_read_are_named(tmp_path):
    write_files(tmp_path, {"a cat.heic": b"", "a dog.png": 1, "a fox.SVG": b""})
    reason = "an image of a format that is not read: save it as PNG or JPEG"
    assert found_in(tmp_path)[1:] == ({"a dog.png": ("a dog", 1)}, {"a cat.heic": reason, "a fox.SVG": reason})
    write_files(tmp_path, {"metadata.jsonl": rows(("a cat.heic", "a cat"), ("a dog.png", "a dog"))})
    assert len(find(tmp_path).problems) == 2


def test_folders_are_classes(tmp_path):
    write_files(tmp_path, {"fire_truck/1.png": 1, "train/tabby-cat/1.png": 2, "top.png": 3})
    form, items, problems = found_in(tmp_path)
    assert form == "class folders"
    assert items == {"fire_truck/1.png": ("a fire truck", 1), "train/tabby-cat/1.png": ("a tabby cat", 2)}
    assert problems == {"top.png": "not in the folder of a class"}
    assert find(tmp_path, caption_template="a photo of a {}.").items[0].caption == "a photo of a fire truck."
    with pytest.raises(UserError, match=r"'a photo' has no \{\}"):
        find(tmp_path, caption_template="a photo")


def test_file_names_are_captions(tmp_path):
    write_files(tmp_path, {"a-red-cat_01.jpg": 1, "0001.png": 2})
    form, items, problems = found_in(tmp_path)
    assert (form, items) == ("file names", {"a-red-cat_01.jpg": ("a red cat", 1)})
    assert problems == {"0001.png": "no words in its name"}


@pytest.mark.parametrize(("stem", "caption"), [
    ("a_red__cat-01", "a red cat"), ("a red cat (2)", "a red cat"), ("cat.0001", "cat"), ("cat 3fa9c1d2", "cat"),
    ("cat-550e8400-e29b-41d4-a716-446655440000", "cat"), ("2 cats", "2 cats"), ("a facade", "a facade"),
    ("airbus a320", "airbus a320"), ("cat_12_deadbeef01_3", "cat"), ("e\u0301tude 7", "étude"), ("12", ""),
    ("___", "")])
def test_counters_and_hashes_are_no_part_of_a_caption(stem, caption):
    assert from_file_name(stem) == caption


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX")
def test_hidden_files_are_ignored_and_odd_ones_are_problems(tmp_path):
    write_files(tmp_path, {"data/a cat.png": 1, "data/.b.png": 2, "data/.git/c.png": 3, "data/__MACOSX/d.png": 4,
                           "data/Thumbs.db": b"", "outside/e.png": 5})
    folder = tmp_path / "data"
    (folder / "link dog.png").symlink_to(folder / "a cat.png")
    (folder / "folder").symlink_to(tmp_path / "outside")
    (folder / "broken.png").symlink_to("nowhere")
    (folder / "self.png").symlink_to("self.png")
    os.mkfifo(folder / "pipe.png")
    with open(folder / "huge.png", "wb") as file:
        file.truncate(2**28 + 1)
    _, items, problems = found_in(folder)
    assert items == {"a cat.png": ("a cat", 1), "link dog.png": ("link dog", 1)}
    reasons = {"folder": "a link to a folder", "broken.png": "cannot be read", "self.png": "cannot be read",
               "pipe.png": "not a regular file", "huge.png": "larger than 256 MB"}
    assert {name: reasons[name] in problems[name] for name in problems} == dict.fromkeys(reasons, True)


def test_a_name_that_is_not_unicode_is_a_problem():
    tree = FileTree()
    tree.add("caf\udce9.png", 9, png)
    assert (tree.files, tree.problems) == ({}, [("caf\\udce9.png", "its name is not valid UTF-8: rename it")])


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX")
def test_a_place_without_images_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    write_files(tmp_path, {"empty/.hidden.png": 1, "other/a.heic": b"", "other/notes": b"", "one.png": 1})
    for path, reason in {"empty": "no images in .*it is empty", "other": r"only \.heic, notes",
                         "pipe": "neither a file", "gone": "there is no",
                         "one.png/x": "there is no", "one.png": "is not one of .zip",
                         "*.tar": "there is no", "a\0b": "cannot read", "x" * 300: "cannot read"}.items():
        with pytest.raises(UserError, match=reason) as error:
            find(tmp_path / path)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="neither a file"):
        find(type(tmp_path)("/dev/zero"))


def test_an_image_that_disappears_is_an_error_of_the_user(tmp_path):
    [item] = find(write_files(tmp_path, {"a cat.png": 1})).items
    (tmp_path / "a cat.png").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        item.read()


def test_texts_that_are_no_captions_are_named_and_not_read(tmp_path):
    write_files(tmp_path, {"a.png": 1, "a.txt": "a cat", "b.png": 2, "b.txt": "word " * 30_000, "c.png": 3,
                           "c.txt": "x" * (2**20 + 1)})
    _, items, problems = found_in(tmp_path)
    assert items == {"a.png": ("a cat", 1)}
    assert problems == {"b.png": "its caption has more than 100000 letters", "c.txt": "larger than 1 MB",
                        "c.png": "no text file beside it"}
