"""The files of a tokenizer, as CLIPTokenizer of transformers writes and opens them."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import UserError
from .added_tokens import AddedToken
from .merges import Pair
from .words import MIN_VOCAB_SIZE

FLAGS = ("normalized", "single_word")


def read_folder(folder: Path) -> tuple[dict[str, int], dict[int, AddedToken], list[Pair], int, str | None]:
    """Vocabulary, added tokens by their ids, merges, maximum length and padding token.

    Merges are only those in the vocabulary; some lists go on.
    """
    def read(name):
        return json.loads((folder / name).read_text(encoding="utf-8"))
    try:
        if (folder / "vocab.json").is_file():
            vocabulary, lines = read("vocab.json"), (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
            merges = [line for line in lines if line.strip() and not line.startswith("#version")]
        else:
            vocabulary, merges = (read("tokenizer.json")["model"][key] for key in ("vocab", "merges"))
        merges = [m.split() if isinstance(m, str) else m for m in merges[:max(0, len(vocabulary) - MIN_VOCAB_SIZE)]]
        config = {"model_max_length": 77, "pad_token": None}
        for name in ("tokenizer_config.json", "special_tokens_map.json"):
            config |= read(name) if (folder / name).is_file() else {}
        # transformers writes 1e30 for an unknown length, and a token as a string or as a dictionary of its options.
        length = config["model_max_length"] if config["model_max_length"] < 1e6 else 77
        pad = config["pad_token"]["content"] if isinstance(config["pad_token"], dict) else config["pad_token"]
        added = {int(i): _added(token) for i, token in sorted(_found(folder, config, read).items(), key=_by_id)}
        return dict(vocabulary), added, [(left, right) for left, right in merges], length, pad
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise UserError(f"no readable tokenizer in {folder} ({type(error).__name__}: {error}): it needs vocab.json and "
                        "merges.txt, or tokenizer.json, as CLIPTokenizer writes them") from error


def _found(folder, config, read):
    """The added tokens, {id: dictionary}, in the first place of these that has any; transformers reads all the same."""
    if "added_tokens_decoder" in config:
        return config["added_tokens_decoder"]
    found = {}
    if (folder / "added_tokens.json").is_file():
        found |= {i: {"content": token, "normalized": True} for token, i in read("added_tokens.json").items()}
    if (folder / "tokenizer.json").is_file():
        found |= {token["id"]: token for token in read("tokenizer.json").get("added_tokens", [])}
    return found


def _by_id(item):
    return int(item[0])


def _added(token):
    return AddedToken(token["content"], *(bool(token.get(flag, False)) for flag in FLAGS))


def write_folder(folder: Path, vocabulary: dict[str, int], added: dict[int, AddedToken], merges: list[Pair],
                 specials: dict[str, str], max_length: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": max_length, "do_lower_case": True}
    if added:
        config["added_tokens_decoder"] = {
            str(i): token._asdict() | {"lstrip": False, "rstrip": False, "special": token.content in specials.values()}
            for i, token in added.items()}
    for name, content in (("vocab.json", vocabulary), ("special_tokens_map.json", specials),
                          ("tokenizer_config.json", config | specials)):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *map(" ".join, merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
