"""The shape line of a docstring, read and executed: `x (N, H, W, C), weight (C) -> y (N, 2H, 2W, C)`.

Each letter binds one size, `2C` is twice a size, `I + O` a sum, `...` any two axes, `()` a number.
"""

from __future__ import annotations

import inspect
import re

TERM = re.compile(r"(\d*)([A-Za-z]|\.\d)")


def read(function):
    """The shape line of `function` as ({argument: dims}, {output: dims}); exactly one line has an arrow."""
    (line,) = [line for line in inspect.getdoc(function).splitlines() if " -> " in line]
    return tuple(
        {name: tuple(re.findall(r"[^,\s][^,]*", dims)) for name, dims in re.findall(r"(\w+) \(([^)]*)\)", side)}
        for side in line.split(" -> "))


def letters_in(arguments):
    """The letters of {argument: dims} in order of appearance; `...` stands for the two letters `.0` and `.1`."""
    dims = [dim for dims in arguments.values() for dim in spelled_out(dims)]
    return list(dict.fromkeys(letter for dim in dims for _, letter in TERM.findall(dim)))


def shape_of(dims, sizes):
    return tuple(size_of(dim, sizes) for dim in spelled_out(dims))


def bind(dims, shape, sizes):
    """`sizes` and those of the letters that `shape` has at dims where they are alone and new."""
    return {**{dim: size for dim, size in zip(spelled_out(dims), shape, strict=True) if dim.isalpha()}, **sizes}


def spelled_out(dims):
    return [letter for dim in dims for letter in ((".0", ".1") if dim == "..." else (dim,))]


def size_of(dim, sizes):
    """`2C` -> 2 · sizes["C"], `I + O` -> sizes["I"] + sizes["O"]"""
    return sum(int(factor or 1) * sizes[letter] for factor, letter in TERM.findall(dim))
