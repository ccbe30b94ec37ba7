"""How far our arrays are from those of torch, and what brings both to the same form."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from unittest import mock

import diffusers
import numpy as np
import torch
import transformers
from relative import relative

from minidiff.storage.folders import from_file

VALUES = {"float64": 1e-9, "float32": 1e-5}     # the largest norm-relative difference of outputs
GRADIENTS = {"float64": 1e-8, "float32": 1e-4}  # and of gradients

torch.set_num_threads(1)
for peer in (diffusers, transformers):
    peer.utils.logging.set_verbosity_error()
    peer.utils.logging.disable_progress_bar()


def tensor(x):
    """A leaf that collects a gradient if it holds floats."""
    return torch.tensor(x, requires_grad=x.dtype.kind == "f")


def channels_first(x):
    """(N, H, W, C) -> (N, C, H, W)"""
    return x.transpose(0, 3, 1, 2)


def channels_last(x):
    """A tensor (N, C, H, W) -> an array (N, H, W, C)"""
    return x.detach().numpy().transpose(0, 2, 3, 1)


def twin(cls, config_cls, theirs):
    """Our model with their configuration and weights; the names of the parameters are the same on both sides."""
    config = theirs.config if isinstance(theirs.config, dict) else theirs.config.to_dict()
    ours = cls(None, config_cls.from_dict(dict(config)))
    weights, parameters = dict(theirs.named_parameters()), dict(ours.named_parameters())
    assert weights.keys() == parameters.keys()
    for name, parameter in parameters.items():
        value = np.array(from_file(weights[name].detach().numpy()), order="C")
        assert value.shape == parameter.value.shape, name
        parameter.value, parameter.grad = value, None
    return ours


def worst_gradient(ours, theirs):
    """The largest difference of a parameter's gradient, divided by the larger of its norm and 1e-3 of the largest."""
    weights = {name: p.grad.numpy() for name, p in theirs.named_parameters() if p.grad is not None}
    gradients = {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}
    assert gradients.keys() == weights.keys()
    floor = 1e-3 * max(np.linalg.norm(grad) for grad in weights.values())
    return max(relative(grad, from_file(weights[name]), floor) for name, grad in gradients.items())


@contextmanager
def in_double(numpy_too=True):
    """Inside, peers that ask for float32 get float64: their tables and time embeddings are exact.

    Only samplers' tables are made by NumPy; the rest does without, since our own code gets its float64 too.
    """
    with mock.patch.object(torch, "float32", torch.float64), (
            mock.patch.object(np, "float32", np.float64) if numpy_too else nullcontext()):
        yield
