"""The options of commands that draw, each declared once: which model, and how it samples.

The `dest` of an option of SAMPLING is the argument of `Pipeline.stream` that it sets.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from .options import SHIPPED, add_device, add_tokenizer, as_words, whole_number


def file_and_scale(text: str) -> tuple[Path, float]:
    """'style.safetensors:0.5' -> (Path('style.safetensors'), 0.5); without a scale, 1

    Raises ArgumentTypeError if what follows the name of a file is no number.
    """
    file, _, scale = text.rpartition(":")
    try:
        return (Path(file), float(scale)) if file else (Path(text), 1.0)
    except ValueError:  # the colon belongs to the file's name
        if Path(file).exists() and not Path(text).exists():
            raise argparse.ArgumentTypeError(f"{scale!r} is not a number to scale {file} by") from None
        return Path(text), 1.0


SAMPLING = {
    "--steps": {"dest": "num_inference_steps", "type": whole_number(1), "metavar": "STEPS",
                "help": "sampling steps (default: the model's)"},
    "--guidance": {"dest": "guidance_scale", "type": float, "metavar": "GUIDANCE",
                   "help": "how closely to follow the prompt; 1 or less means no guidance (default: the model's)"},
    "--negative": {"dest": "negative_prompt", "metavar": "TEXT", "help": "what the images should not show"},
    "--sampler": {"metavar": "NAME", "help": "such as ddim; an unknown name lists all (default: the model's)"},
    "--height": {"type": whole_number(1), "help": "in pixels (default: the model's)"},
    "--width": {"type": whole_number(1), "help": "in pixels (default: the model's)"},
}


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=SHIPPED, help="the name of a shipped model, a folder, or a single "
                        f"file in Stable Diffusion's original layout (default: {SHIPPED})")
    add_lora(parser)
    add_tokenizer(parser)
    parser.add_argument("--prediction", choices=("epsilon", "v_prediction"),
                        help="what a single-file model predicts (default: what it says, or epsilon)")
    add_device(parser)


def add_lora(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lora", type=file_and_scale, action="append", default=[], metavar="FILE[:SCALE]",
                        help="apply a LoRA, a file or a folder with one in it, with this scale (default: 1); may be "
                        "repeated")


def add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=whole_number(0), default=0,
                        help="random seed; image j of a prompt uses SEED + j (default: 0)")
    for flag, option in SAMPLING.items():
        parser.add_argument(flag, **option)


def opened(args: argparse.Namespace):
    """The Pipeline that the options of `add_model` name."""
    from ..pipeline import Pipeline

    pipe = Pipeline.from_pretrained(args.model, args.device, "float32", args.tokenizer, args.prediction)
    return with_lora(pipe, args)


def with_lora(pipe, args: argparse.Namespace):
    """The Pipeline with what the option of `add_lora` names."""
    for file, scale in args.lora:
        pipe.load_lora(file, scale)
    return pipe


def sampling(args: argparse.Namespace) -> dict:
    """What `Pipeline.stream` is passed, besides prompt and seed; None stands for what the model says itself."""
    return {name: getattr(args, name) for name in map(dest, SAMPLING)}


def dest(flag: str) -> str:
    return SAMPLING[flag].get("dest", flag.removeprefix("--"))


def written(command: str, args: argparse.Namespace, *more: tuple[str, object]) -> str:
    """The command that draws `args.prompt` again, with `more` options, quoted for a shell."""
    given = [("--model", args.model), *(("--lora", f"{file}:{scale}") for file, scale in args.lora),
             ("--tokenizer", args.tokenizer), ("--prediction", args.prediction), ("--seed", args.seed),
             *((flag, getattr(args, dest(flag))) for flag in SAMPLING), *more]
    words = []
    for flag, value in given:
        if value is not None:
            words += as_words(flag, value)
    first, last = ([], ["--", args.prompt]) if args.prompt.startswith("-") else ([args.prompt], [])
    return shlex.join(["minidiff", command, *first, *words, *last])
