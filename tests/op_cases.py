"""Every op in one table, a line for each way to use it. tests/ops and tests/kernels run their properties over it.

A new op needs one line: its arguments are drawn from its docstring's shape line. In `case(op, ...)`
- a keyword of one letter lists the sizes that letter may take (any other letter takes any size from 2 to 8),
- any other keyword is an option of the op.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from shape_line import letters_in, read, shape_of

from minidiff import ops

ANY_SIZE = range(2, 9)
INTEGERS_BELOW = {"ids": "V", "labels": "V"}  # arguments that are not real numbers, and the letter that bounds them


def normal(rng, shape):
    return rng.standard_normal(shape)


def quarters(rng, shape):
    return rng.integers(-8, 9, shape) / 4


def between_quarters(rng, shape):
    return quarters(rng, shape) + 1 / 8


NO_KINKS = {"x": quarters, "target": between_quarters}  # |x − target| is at least 1/8 away from every quarter
RIGHT_BOTTOM = ((0, 1), (0, 1))
ALL_DIFFERENT = ((1, 0), (0, 2))
NONE = ((0, 0), (0, 0))
WIDE = ((1, 1), (2, 0))


def cases():
    yield case(ops.linear)
    yield case(ops.linear, without="bias")

    yield case(ops.conv2d, k=[1])
    yield case(ops.conv2d, k=[3])
    yield case(ops.conv2d, k=[3], without="bias")
    yield case(ops.conv2d, k=[3], stride=2)
    yield case(ops.conv2d, k=[3], stride=2, padding=RIGHT_BOTTOM)
    yield case(ops.conv2d, k=[3], padding=ALL_DIFFERENT)
    yield case(ops.conv2d, k=[2], stride=2, padding=NONE)
    yield case(ops.conv2d, k=[2], padding=NONE)
    yield case(ops.conv2d, k=[1], padding=WIDE)
    yield case(ops.conv2d, k=[1], stride=2)
    yield case(ops.conv2d, k=[5])
    yield case(ops.conv2d, k=[5], stride=3)

    yield case(ops.group_norm, C=[6, 9], groups=3)
    yield case(ops.group_norm, C=[4, 8, 10], groups=2, eps=1e-3)
    yield case(ops.layer_norm, C=range(4, 9))  # of two channels x̂ is ±1, and all gradients are rounding errors
    yield case(ops.layer_norm, C=range(4, 9), eps=1e-3)

    yield case(ops.silu)
    yield case(ops.gelu)
    yield case(ops.quick_gelu)
    yield case(ops.geglu)
    yield case(ops.softmax)
    yield case(ops.softmax, axis=0)

    yield case(ops.attention, C=[6, 9], heads=3)
    yield case(ops.attention, C=[6, 10], heads=2, causal=True)

    yield case(ops.upsample_nearest)
    yield case(ops.upsample_conv2d, k=[3])
    yield case(ops.upsample_conv2d, k=[5])
    yield case(ops.patchify, H=[4, 6], W=[2, 8], size=2)
    yield case(ops.patchify, H=[3, 6], W=[9, 12], size=3)
    yield case(ops.concat)
    yield case(ops.split)

    yield case(ops.embedding)
    yield case(ops.sinusoidal_embedding, features=10)
    yield case(ops.sinusoidal_embedding, features=8, flip_sin_to_cos=False)
    yield case(ops.sinusoidal_embedding, features=6, freq_shift=1, max_period=100)

    yield case(ops.mse, constant="weight")
    yield case(ops.mse, without="weight")
    yield case(ops.l1, constant="weight", values=NO_KINKS)
    yield case(ops.l1, without="weight", values=NO_KINKS)
    yield case(ops.huber, constant="weight", values=NO_KINKS)
    yield case(ops.huber, without="weight", values=NO_KINKS, delta=0.5)
    yield case(ops.kl_standard_normal)
    yield case(ops.cosine_distance)
    yield case(ops.cross_entropy)
    yield case(ops.contrastive)


def case(op, without=None, constant=None, values=None, **rest):
    """One line of the table. `without` leaves an argument out, `constant` names one that has no gradient, and
    `values` says how an argument is drawn where normal numbers will not do."""
    arguments, outputs = read(op)
    arguments.pop(without, None)
    words = [op.__name__, *(f"{name}={value}" for name, value in rest.items()), *([f"no {without}"] if without else [])]
    sizes = {name: rest.pop(name) for name in list(rest) if len(name) == 1}
    constants = {constant, *INTEGERS_BELOW}
    return Case(", ".join(words), op, arguments, outputs, constants, values or {}, sizes, options=rest)


@dataclass(frozen=True, repr=False)
class Case:
    label: str
    op: Callable
    arguments: dict  # name -> dims, as the shape line has them
    outputs: dict
    constants: set  # names of arguments that have no gradient
    values: dict  # name -> function of (rng, shape)
    sizes: dict  # letter -> the sizes it may take
    options: dict

    def __repr__(self):
        return self.label

    def __call__(self, *arrays):
        return self.op(*arrays, **self.options)

    def draws(self):
        """A strategy for (sizes, arrays, rng): the sizes of the letters, all different, and float64 arguments."""
        return st.builds(self.draw, st.permutations(range(1, 13)), st.integers(0, 2**32 - 1))

    def draw(self, order, seed):
        sizes, rng = self.draw_sizes(list(order)), np.random.default_rng(seed)
        arrays = []
        for name, dims in self.arguments.items():
            shape = shape_of(dims, sizes)
            if name in INTEGERS_BELOW:
                arrays.append(rng.integers(sizes[INTEGERS_BELOW[name]], size=shape))
            else:
                arrays.append(np.asarray(self.values.get(name, normal)(rng, shape)))
        return sizes, arrays, rng

    def draw_sizes(self, order):
        """To each letter the first size of `order` that it may take and no other has; the choosy letters go first."""
        sizes = {}
        for letter in sorted(letters_in(self.arguments), key=lambda letter: letter not in self.sizes):
            sizes[letter] = next(size for size in order if size in self.sizes.get(letter, ANY_SIZE))
            order.remove(sizes[letter])
        return sizes


CASES = list(cases())
