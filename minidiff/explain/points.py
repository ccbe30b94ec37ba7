"""The smallest diffusion model: points in the plane, trained and sampled by the code that trains and samples images."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from ..backend import random_stream
from ..diffusion.objectives import add_noise, draw_times, target
from ..diffusion.scheduler import Scheduler
from ..nn.layers import Linear
from ..nn.module import Module, chain
from ..ops import adamw, concat, mse, no_grad, silu, sinusoidal_embedding
from ..training.flat import Flat
from ..training.schedule import learning_rate


class PointNet(Module):
    """x (N, 2), t (N) -> y (N, 2)"""

    def __init__(self, rng, width=96):
        self.layers = [Linear(rng, 2 + 32, width), silu, Linear(rng, width, width), silu,
                       Linear(rng, width, width), silu, Linear(rng, width, 2)]

    def __call__(self, x, t):
        time, _ = sinusoidal_embedding(t, 32)
        return chain(concat(x, time)[0], *self.layers)


def spirals(rng, count):
    """Points of two spiral arms, about as wide as standard normal noise."""
    along = np.sqrt(rng.uniform(0.02, 1, count))
    angle = 1.25 * np.pi * along + np.pi * rng.integers(2, size=count)
    arms = 1.9 * along * np.stack([np.cos(angle), np.sin(angle)])
    return (arms.T + 0.04 * rng.standard_normal((count, 2))).astype(np.float32)


@threadpool_limits.wrap(limits=1, user_api="blas")  # products this small are faster on one thread
def train(scheduler: Scheduler, data=spirals, steps=3000, batch=256, lr=3e-3, seed=0) -> PointNet:
    """Train a network on noisy `data(rng, count)`, points (N, 2), to predict what `scheduler.prediction_type` says."""
    rng = random_stream(seed)
    net = PointNet(rng)
    flat = Flat(net.parameters())
    m, v = np.zeros_like(flat.value), np.zeros_like(flat.value)
    for step in range(1, steps + 1):
        x0, noise = data(rng, batch), rng.standard_normal((batch, 2), np.float32)
        t = draw_times(scheduler.schedule, rng, batch)
        alpha, sigma = scheduler.schedule.at(t)
        y, net_back = net(add_noise(x0, noise, alpha, sigma), t.astype(np.float32))
        _, loss_back = mse(y, target(scheduler.prediction_type, x0, noise, alpha, sigma))
        flat.collect_in(np.zeros_like(flat.value))
        net_back(loss_back(1.0)[0])
        adamw(flat.value, flat.grad, m, v, step, learning_rate(step, steps, lr, warmup=50, falling=0.5),
              beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.0)
    return net


def denoiser(scheduler: Scheduler, net: PointNet):
    """The `denoise(x, time) -> x0` of a trained network, which every sampler takes."""
    return no_grad()(scheduler.denoiser(lambda x, time: net(x, np.full(len(x), time.t, x.dtype))[0]))
