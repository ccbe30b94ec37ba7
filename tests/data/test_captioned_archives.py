from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from image_files import as_bytes, found_in, png, shade, write_files

from minidiff.data.reading.find import find
from minidiff.data.reading.seekable_gzip import SeekableGzip
from minidiff.errors import UserError

ENDINGS = [".zip", ".tar", ".tar.gz", ".tgz"]
each_kind = pytest.mark.parametrize("ending", ENDINGS)


def pack(path, files):
    """Write {name: text, bytes, or the shade of a PNG} into an archive; a list of pairs may repeat names."""
    pairs = [*(files.items() if isinstance(files, dict) else files)]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in pairs:
                archive.writestr(name, as_bytes(content))
    else:
        with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
            for name, content in pairs:
                member = tarfile.TarInfo(name)
                member.size = len(as_bytes(content))
                archive.addfile(member, io.BytesIO(as_bytes(content)))
    return path


@each_kind
@pytest.mark.parametrize(("files", "form", "items"), [
    ({"sub/a.png": 1, "metadata.csv": "file_name,text\nsub/a.png,one\n"}, "ImageFolder in an archive",
     {"sub/a.png": "one"}),
    ({"fire_truck/a.png": 1, "cat/b.png": 1}, "class folders in an archive",
     {"cat/b.png": "a cat", "fire_truck/a.png": "a fire truck"}),
    ({"data/a red cat.png": 1}, "file names in an archive", {"a red cat.png": "a red cat"}),
    ({"data/cat/1.png": 1, "__MACOSX/data/cat/._1.png": "x"}, "class folders in an archive", {"cat/1.png": "a cat"}),
])
def test_an_archive_holds_what_a_folder_holds(tmp_path, ending, files, form, items):
    path = pack(tmp_path / f"Data{ending}", files)
    assert found_in(path) == (form, {name: (caption, 1) for name, caption in items.items()}, {})


@each_kind
def test_text_files_in_a_tar_are_webdataset(tmp_path, ending):
    files = {"./0002.png": 2, "./0002.txt": "two", "0001.txt": "one", "0001.png": 1, "0003.png": 3}
    form, items, problems = found_in(pack(tmp_path / f"x{ending}", files))
    assert form == ("text files in an archive" if ending == ".zip" else "WebDataset")
    assert items == {"0001.png": ("one", 1), "0002.png": ("two", 2)}
    assert problems == {"0003.png": "no text file beside it"}


@pytest.mark.parametrize("ending", [".tar.bz2", ".tar.xz", ".7z"])
def test_an_archive_of_another_kind_is_refused_with_what_to_do(tmp_path, ending):
    path = write_files(tmp_path, {f"cats{ending}": b"BZh9"}) / f"cats{ending}"
    for source in (path, tmp_path, tmp_path / "*"):
        with pytest.raises(UserError, match=rf"cats{ending} is packed in a way that is not read: unpack it"):
            find(source)


def test_webdataset_may_keep_captions_in_json(tmp_path):
    files = {"1.png": 1, "1.json": json.dumps({"text": "one", "alt": "eins"}), "2.png": 2, "2.json": "{}", "3.png": 3,
             "3.json": "no json"}
    path = pack(tmp_path / "x.tar", files)
    assert found_in(path)[:2] == ("WebDataset", {"1.png": ("one", 1)})
    assert found_in(path, caption_column="alt")[1] == {"1.png": ("eins", 1)}
    with pytest.raises(UserError, match="no column 'url', only 'text', 'alt'"):
        find(path, caption_column="url")


def test_several_archives_are_one_data_set(tmp_path):
    pack(tmp_path / "a-1.tar", {"0.png": 1, "0.txt": "one"})
    pack(tmp_path / "a-0.tar.gz", {"0.png": 2, "0.txt": "two", "1.png": 9})
    pack(tmp_path / "sub.zip", {"cat/0.png": 3})
    write_files(tmp_path, {"a-2.tar": "no tar", "README.md": "x"})
    shards = {"a-0.tar.gz/0.png": ("two", 2), "a-1.tar/0.png": ("one", 1)}
    form, items, problems = found_in(tmp_path)
    assert form == "WebDataset and class folders in an archive"
    assert items == shards | {"sub.zip/cat/0.png": ("a cat", 3)}
    assert {*problems} == {"a-2.tar", "a-0.tar.gz/1.png"}
    assert found_in(tmp_path / "a-*")[1] == shards
    with pytest.raises(UserError, match=r"a-2\.tar"):
        find(tmp_path / "a-2*")
    write_files(tmp_path, {"a dog.png": 1})
    assert {name: caption for name, (caption, _) in found_in(tmp_path)[1].items()} == {"a dog.png": "a dog"}
    assert "image files" in found_in(tmp_path)[2]["sub.zip"]


@each_kind
def test_names_of_members_are_only_names(tmp_path, ending):
    files = {"../../a cat.png": 1, "/etc/a dog.png": 2,
             "../metadata.csv": "file_name,text\n../a cat.png,cat\n/etc/a dog.png,d\n"}
    before = {*tmp_path.rglob("*")}
    path = pack(tmp_path / f"x{ending}", files)
    _, items, _ = found_in(path)
    assert items == {"../../a cat.png": ("cat", 1), "/etc/a dog.png": ("d", 2)}
    assert {*tmp_path.rglob("*")} - before == {path}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@each_kind
def test_names_that_are_used_twice_are_problems(tmp_path, ending):
    path = pack(tmp_path / f"x{ending}", [("a cat.png", 1), ("./a cat.png", 2), ("a cat.png", 3)])
    _, items, problems = found_in(path)
    assert (items, problems) == ({"a cat.png": ("a cat", 1)}, {"a cat.png": "more than one file has this name"})


def test_links_large_and_encrypted_members_are_problems(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        kinds = {"link.png": tarfile.SYMTYPE, "hard.png": tarfile.LNKTYPE, "pipe.png": tarfile.FIFOTYPE}
        for name, kind in kinds.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        archive.addfile(tarfile.TarInfo("a cat.png"))
    assert {*found_problems(tmp_path / "x.tar")} == {*kinds}
    zeros = bytes(2**20)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("huge.png", "w") as file:
            for _ in range(257):
                file.write(zeros)
        link, locked = zipfile.ZipInfo("link.png"), zipfile.ZipInfo("locked.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(locked, b"")
        archive.writestr("a cat.png", b"")
        locked.flag_bits |= 1
    assert found_problems(tmp_path / "x.zip") == {
        "huge.png": "larger than 256 MB", "link.png": "a link in an archive, which is not followed",
        "locked.png": "encrypted: unpack the archive and name the folder"}


def found_problems(path):
    return dict(find(path).problems)


@each_kind
def test_damaged_archives_raise_nothing_but_the_users_error(tmp_path, ending):
    noise = np.random.default_rng(1).bytes(3000)
    data = pack(tmp_path / f"x{ending}", {"a cat.png": noise, "b.txt": "b", "c dog.png": png(1)}).read_bytes()
    rng, path, outcomes = np.random.default_rng(2), tmp_path / f"damaged{ending}", set()
    for _ in range(150):
        damaged = bytearray(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
        for index in rng.integers(0, len(damaged), 5):
            damaged[index] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            for item in find(path).items:
                item.read()
            outcomes.add("read")
        except UserError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert "refused" in outcomes


def test_a_member_that_unpacks_to_more_than_it_says_is_damaged(tmp_path):
    path = pack(tmp_path / "x.zip", {"a cat.png": bytes(100_000)})
    data = path.read_bytes().replace((100_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(data)
    [item] = find(path).items
    with pytest.raises(UserError, match="damaged in its archive"):
        item.read()


@each_kind
def test_members_are_read_from_threads_and_forked_processes(tmp_path, ending):
    files = {f"{index:03}.png": index for index in range(100)} | {f"{index:03}.txt": "x" for index in range(100)}
    items = find(pack(tmp_path / f"x{ending}", files)).items * 5
    shades = [*range(100)] * 5
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(shade, items)] == shades
    if "fork" not in multiprocessing.get_all_start_methods():
        return
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=check_shades, args=(items, shades)) for _ in range(3)]
    for process in processes:
        process.start()
    check_shades(items, shades)
    for process in processes:
        process.join()
        assert process.exitcode == 0


def check_shades(items, shades):
    assert [shade(item) for item in items] == shades


def test_any_part_of_a_gzip_file_is_read_from_a_snapshot_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr("minidiff.data.reading.seekable_gzip.SPACING", 100_000)
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 9, 400_000, np.uint8).tobytes(), bytes(3_000_000), b"x" * 7, rng.bytes(300_000)]
    path, content = tmp_path / "x.gz", b"".join(parts)
    path.write_bytes(b"".join(map(gzip.compress, parts)) + bytes(512))  # several streams in a row, and padding
    file = SeekableGzip(path)
    pieces = []
    while piece := file.read(int(rng.integers(1, 30_000))):
        pieces.append(piece)
    assert b"".join(pieces) == content
    assert len(file.snapshots) > 10
    for offset in [0, len(content) - 1, *rng.integers(0, len(content), 40).tolist()]:
        size = int(rng.integers(0, len(content) - offset + 1))
        assert file.read_at(offset, size) == content[offset : offset + size]
    with pytest.raises(UserError, match="truncated"):
        file.read_at(len(content) - 5, 6)


def test_a_truncated_gzip_file_is_an_error(tmp_path):
    path = pack(tmp_path / "x.tar.gz", {"a cat.png": np.random.default_rng(0).bytes(99_999)})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="cannot read the archive"):
        find(path)
