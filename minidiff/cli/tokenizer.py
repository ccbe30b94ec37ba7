"""minidiff tokenizer: train a tokenizer, convert text to token ids and back."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from .options import SHIPPED, make_folder, show, whole_number


def add_to(commands) -> None:
    parser = commands.add_parser("tokenizer", help="train a tokenizer, or convert text to token ids and back")
    actions = parser.add_subparsers(title="commands", required=True, metavar="train|encode|decode")
    train = actions.add_parser("train", help="learn a vocabulary from captions")
    train.add_argument("captions", nargs="+", type=Path, metavar="FILE", help="text files, one caption per line")
    train.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    train.add_argument("--vocab-size", type=whole_number(1, 1_000_000), default=1024,
                       help="number of tokens (default: 1024)")
    train.add_argument("--max-length", type=whole_number(2, 4096), default=77, help="tokens per text (default: 77)")
    train.set_defaults(run=run_train)
    encode = actions.add_parser("encode", help="print the token ids of texts, one text per line")
    encode.add_argument("text", nargs="+")
    encode.add_argument("--tokens", action="store_true", help="also print the tokens themselves")
    encode.set_defaults(run=run_encode)
    decode = actions.add_parser("decode", help="print the text of token ids")
    decode.add_argument("ids", nargs="+", type=whole_number(0), metavar="ID")
    decode.set_defaults(run=run_decode)
    for parser in (encode, decode):
        parser.add_argument("--model", default=SHIPPED, help=f"a model or a tokenizer's folder (default: {SHIPPED})")


def run_train(args) -> None:
    from ..tokenizer import Tokenizer
    from ..tokenizer.files import read_captions

    captions = [caption for path in args.captions for caption in read_captions(path) if caption.strip()]
    if not captions:
        raise UserError(f"no captions in {', '.join(map(str, args.captions))}: give texts with one caption per line")
    make_folder(args.out)
    tokenizer = Tokenizer.train(captions, args.vocab_size, args.max_length)
    tokenizer.save_pretrained(args.out)
    show(f"{args.out}: {len(tokenizer)} tokens from {len(captions)} captions")


def run_encode(args) -> None:
    tokenizer = find(args.model)
    for text in args.text:
        ids = tokenizer.encode(text)
        show(" ".join(map(str, ids)))
        if args.tokens:
            show(" ".join(tokenizer.tokens[i] for i in ids))


def run_decode(args) -> None:
    show(find(args.model).decode(args.ids))


def find(model: str):
    """The tokenizer of a model, or the one in a folder."""
    from ..storage.pipeline_folder import find_model
    from ..tokenizer import Tokenizer

    folder = Path(model)
    alone = (folder / "vocab.json").is_file() or (folder / "tokenizer.json").is_file()
    return Tokenizer.from_pretrained(folder if alone else find_model(model) / "tokenizer")
