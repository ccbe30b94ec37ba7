"""The case table of the tests at the sizes of real models: which lines are timed, and what their letters are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from inspect import Parameter, signature
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from op_cases import CASES, INTEGERS_BELOW, Case
from shape_line import letters_in, read, shape_of

SAME_COST = {"flip_sin_to_cos", "freq_shift", "max_period"}  # options that change values only, as floats do
WIDTHS = {"groups": 32, "heads": 8, "features": 320}         # options, as Stable Diffusion has them

# Letters of all ops, then of single ones: the training of a small model, and Stable Diffusion at 512 x 512.
SIZES = {
    "tiny": ({"N": 2, "H": 6, "W": 12, "C": 32, "I": 8, "O": 12, "P": 6, "Q": 9, "K": 5, "T": 4, "D": 16, "A": 2,
              "E": 8, "G": 2, "k": 3, "V": 20, "F": 16, ".0": 2, ".1": 6}, {}),
    "small": ({"N": 16, "H": 16, "W": 16, "C": 64, "I": 64, "O": 64, "P": 16, "Q": 256, "K": 256, "T": 20, "D": 128,
               "A": 8, "E": 16, "G": 32, "k": 3, "V": 1024, "F": 64, ".0": 16, ".1": 256},
              {"attention": [{"C": 128}, {"C": 128, "K": 20}], "linear": [{"I": 128, "O": 512}],
               "contrastive": [{"N": 64}], "mse": [{".1": 12}], "l1": [{".1": 12}], "huber": [{".1": 12}],
               "kl_standard_normal": [{".1": 12}]}),
    "large": ({"N": 2, "H": 64, "W": 64, "C": 320, "I": 320, "O": 320, "P": 64, "Q": 1024, "K": 1024, "T": 77,
               "D": 768, "A": 8, "E": 80, "G": 32, "k": 3, "V": 49408, "F": 320, ".0": 2, ".1": 4096},
              {"attention": [{"C": 640}, {"C": 640, "K": 77}], "linear": [{"O": 2560}],
               "contrastive": [{"N": 256, "C": 768}], "embedding": [{"C": 768}], "cross_entropy": [{"N": 256}]}),
}


def cases(size: str, match: str = "") -> Iterator[tuple[Case, dict[str, int]]]:
    """(line of the table, sizes of its letters), each that costs something of its own once."""
    general, of_ops = SIZES[size]
    seen = set()
    for case in CASES:
        options = {name: WIDTHS.get(name, value) for name, value in case.options.items()
                   if changes_cost(case.op, name, value)}
        label = label_of(case, options)
        if label in seen or match not in label:
            continue
        seen.add(label)
        for own in of_ops.get(case.op.__name__, [feature_map(case, general)]):
            sizes = {letter: (general | own)[letter] for letter in letters_in(case.arguments)}
            sizes |= {"k": case.sizes["k"][0]} if "k" in case.sizes else {}
            if "size" in options:  # patches divide the image
                sizes |= {letter: sizes[letter] // options["size"] * options["size"] for letter in "HW"}
            yield replace(case, label=label, options=options), sizes


def changes_cost(op, name: str, value) -> bool:
    """Options that do not are left at their defaults."""
    has_default = signature(op).parameters[name].default is not Parameter.empty
    return not (has_default and (name in SAME_COST or isinstance(value, float)))


def label_of(case: Case, options: dict) -> str:
    """The op, and what changes its cost: options, arguments left out, and a loss's weight where there is one."""
    left_out = [name for name in read(case.op)[0] if name not in case.arguments and name != "weight"]
    return ", ".join([case.op.__name__, *(f"k={k}" for k in case.sizes.get("k", [])),
                      *(f"{name}={value}" for name, value in options.items() if name not in WIDTHS),
                      *(f"no {name}" for name in left_out), *(["weight"] if "weight" in case.constants else [])])


def feature_map(case: Case, sizes: dict[str, int]) -> dict[str, int]:
    """An element-wise op, `x (...) -> y (...)`, has the rows and the channels of a feature map."""
    if any(dims != ("...",) for dims in case.arguments.values()):
        return {}
    return {".0": sizes[".0"] * sizes[".1"], ".1": sizes["C"]}


def in_words(sizes: dict[str, int]) -> str:
    """N16 H16 W16 C64; an axis without a letter is a dot."""
    return " ".join(f"{letter.lstrip('.01') or '·'}{value}" for letter, value in sizes.items())


def draw(case: Case, sizes: dict[str, int], rng) -> list:
    """Arguments in float32, normal values: times of zeros say nothing."""
    arrays = []
    for name, dims in case.arguments.items():
        shape = shape_of(dims, sizes)
        if name in INTEGERS_BELOW:
            arrays.append(rng.integers(sizes[INTEGERS_BELOW[name]], size=shape))
        else:
            arrays.append(rng.standard_normal(shape, "float32"))
    return arrays
