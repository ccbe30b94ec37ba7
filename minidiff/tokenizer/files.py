"""The files of a tokenizer, as CLIPTokenizer of transformers writes and opens them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated

from ..errors import UserError
from ..fields import Between, Checked, Length, fits, read, shown
from ..reading import LARGEST_VOCABULARY, read_json, read_text, reason
from ..writing import new_folder
from .added_tokens import AddedToken
from .merges import Pair
from .words import MIN_VOCAB_SIZE

CONFIG, SPECIALS = "tokenizer_config.json", "special_tokens_map.json"
Token = Annotated[str, Between(1, 1000)]
FLAGS = AddedToken._fields[1:]
LARGEST_CAPTIONS = 1_000_000_000  # bytes


@dataclass(frozen=True)
class TokenizerConfig(Checked):
    """tokenizer_config.json."""

    model_max_length: Annotated[float, Between(2, 1e30)] = 77
    pad_token: Token | None = None

    @property
    def length(self) -> int:
        """transformers writes 1e30 for an unknown length; a larger one than any text encoder reads means the same."""
        return int(self.model_max_length) if fits(self.model_max_length, Length) else 77


def read_folder(folder: Path) -> tuple[dict[str, int], dict[int, AddedToken], list[Pair], int, str | None]:
    """Vocabulary, added tokens by their ids, merges, maximum length and padding token.

    Merges are only those in the vocabulary; some lists go on.
    """
    def read_file(name):
        return read_json(folder / name, LARGEST_VOCABULARY)
    try:
        if (folder / "vocab.json").is_file():
            vocabulary = read_file("vocab.json")
            lines = re.sub(r"\A#version.*", "", read_text(folder / "merges.txt", LARGEST_VOCABULARY)).split("\n")
            merges = [line for line in lines if line.strip()]
        else:
            vocabulary, merges = (read_file("tokenizer.json")["model"][key] for key in ("vocab", "merges"))
        merges = merges[:max(0, len(vocabulary) - MIN_VOCAB_SIZE)]
        pairs = [merge.split() if isinstance(merge, str) else merge for merge in merges]
        config = read_file(CONFIG) if (folder / CONFIG).is_file() else {}
        if "added_tokens_decoder" not in config and (folder / SPECIALS).is_file():
            config |= read_file(SPECIALS)  # of older versions of transformers; newer ones ignore what they left behind
        pad = config.get("pad_token")  # transformers writes a token as a text or as a dictionary of its options
        own = read(TokenizerConfig(), config | {"pad_token": pad["content"] if isinstance(pad, dict) else pad},
                   str(folder / CONFIG))
        added = {int(i): _added(token) for i, token in sorted(_found(folder, config, read_file).items(), key=_by_id)}
        return dict(vocabulary), added, pairs, own.length, own.pad_token
    except UserError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise UserError(f"no readable tokenizer in {folder} ({type(error).__name__}: {reason(error)}): it needs "
                        "vocab.json and merges.txt, or tokenizer.json, as CLIPTokenizer writes them") from error


def read_captions(path: Path) -> list[str]:
    """The lines of a text file. Raises UserError if it cannot be read."""
    try:
        text = read_text(path, LARGEST_CAPTIONS).removeprefix("\ufeff")
        return [line.rstrip("\n") for line in StringIO(text, newline=None)]
    except (OSError, ValueError) as error:
        fault = "not UTF-8" if isinstance(error, UnicodeDecodeError) else reason(error)
        raise UserError(f"cannot read {path}: {fault}; give a text file with one caption per line") from error


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
    content, flags = token["content"], tuple(token.get(flag, False) for flag in FLAGS)
    if not fits(content, Token) or not fits(flags, tuple[bool, ...]):
        raise ValueError(f"the added token {shown(token)} is none")
    return AddedToken(content, *flags)


def write_folder(folder: Path, vocabulary: dict[str, int], added: dict[int, AddedToken], merges: list[Pair],
                 specials: dict[str, str], max_length: int) -> None:
    """Write the files of CLIPTokenizer, atomically. Raises UserError if the folder cannot be written."""
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": max_length, "do_lower_case": True}
    if added:
        config["added_tokens_decoder"] = {
            str(i): token._asdict() | {"special": token.content in specials.values()} for i, token in added.items()}
    lines = ["#version: 0.2", *map(" ".join, merges), ""]
    with new_folder(folder) as new:
        for name, content in (("vocab.json", vocabulary), (SPECIALS, specials), (CONFIG, config | specials)):
            (new / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        (new / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
