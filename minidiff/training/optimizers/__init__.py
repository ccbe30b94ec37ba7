"""The optimizers by name. A new one is its class in a file of its own, and an entry of OPTIMIZERS.

    optimizer = Optimizer(flat, models, settings)    settings has beta1, beta2, weight_decay ... (see presets.py)
    optimizer.parts                                  slices of the flat buffers, to be updated one by one, in any order
    optimizer.update(part, w, g, average, scale, step, lr, decay)
                                                     changes w, the parameters of one part, by their gradient scale · g,
                                                     and has their average follow (ops/average.py); the last four are
                                                     numbers on a CPU, arrays () on a GPU
    optimizer.state()                                its own buffers by name: what a checkpoint has to hold
"""

from __future__ import annotations

from ...errors import UserError
from .adamw import AdamW
from .lion import Lion
from .muon import Muon

OPTIMIZERS = {
    "adamw": AdamW,
    "muon": Muon,
    "lion": Lion,
}


def optimizer_class(name: str) -> type:
    if name not in OPTIMIZERS:
        raise UserError(f"unknown optimizer {name!r}: use one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]
