from __future__ import annotations

from pathlib import Path

from minidiff.cli import main


def test_the_tokenizer_learns_encodes_and_decodes(capsys):
    assert main(["tokenizer", "train", "text.txt", "--vocab-size", "520", "-o", "words"]) == 0
    assert "520 tokens from 2 captions" in capsys.readouterr().out
    assert main(["tokenizer", "encode", "A red  image", "--model", "words", "--tokens"]) == 0
    ids, tokens = capsys.readouterr().out.splitlines()
    assert len(ids.split()) == len(tokens.split())
    assert main(["tokenizer", "decode", *ids.split(), "--model", "words"]) == 0
    assert capsys.readouterr().out == "a red image\n"


def test_empty_lines_are_no_captions(capsys):
    Path("text.txt").write_text("a cat\n\n \na dog\n")
    assert main(["tokenizer", "train", "text.txt", "-o", "words"]) == 0
    assert "tokens from 2 captions" in capsys.readouterr().out
    Path("text.txt").write_text("\n")
    assert main(["tokenizer", "train", "text.txt", "-o", "none"]) == 2
    assert "no captions in text.txt: give texts" in capsys.readouterr().err
    assert not Path("none").exists()
