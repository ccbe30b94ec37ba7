"""The way from noise to images in the plane in which runs of several seeds differ most, and samplers compared."""

from __future__ import annotations

import numpy as np

from ..backend import to_host
from ..data.images import bytes_of
from ..diffusion.multistep import dpm_solver
from ..diffusion.objectives import output_of
from ..diffusion.samplers import State, advance, first_order, heun
from ..diffusion.scheduler_config import with_sampler
from .film import replaced
from .images import rounded, side_by_side
from .run import Run

SOURCES = (first_order, heun, dpm_solver)
SAMPLERS, COUNTS = ("euler", "heun", "dpm++"), (5, 10, 20)
REFERENCE = ("dpm++", 80)


def view(run: Run) -> dict:
    if not run.is_small:
        return {"missing": "too_large"}
    states, images = run.siblings
    centre, axes, kept = plane_of(states)
    projected = (states.reshape(*states.shape[:2], -1) - centre) @ axes.T
    most = with_sampler(run.pipe.scheduler, "dpm++").most_steps
    counts, reference = sorted({min(count, most) for count in COUNTS}), (REFERENCE[0], min(REFERENCE[1], most))
    _, true, shown = ended(run, *reference)
    table, firsts = [], []
    for sampler in SAMPLERS:
        for count in counts:
            first, end, image = ended(run, sampler, count)
            shown = np.concatenate([shown, image])
            off = np.linalg.norm(end - true) / np.linalg.norm(true)
            table.append({"sampler": sampler, "steps": count, "off": 100 * off,
                          "calls": 2 * count - 1 if sampler == "heun" else count})
            if sampler == "heun" and replaced(run):  # σ/α is infinite where it begins
                firsts.append(slopes_of(run, first, count))
    return {
        "paths": rounded(projected), "kept": kept, "seeds": [run.seed + i for i in range(len(states))],
        "images": side_by_side(images), "table": rounded(table), "samplers": list(SAMPLERS), "counts": counts,
        "reference": list(reference), "ends": side_by_side(shown),
        "firsts": rounded(firsts), "decided": decided(projected),
    }


def plane_of(states: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The centre and first two principal axes of latents (N, S, h, w, C), and the fraction of variance they keep."""
    flat = states.reshape(-1, states[0, 0].size).astype(np.float64)
    centre = flat.mean(axis=0)
    _, lengths, axes = np.linalg.svd(flat - centre, full_matrices=False)
    return centre, axes[:2], float((lengths[:2] ** 2).sum() / (lengths**2).sum())


def decided(projected: np.ndarray) -> float:
    """The correlation over all runs of where they begin and end in the first direction; 0 where all end alike.

    projected (N, S, 2)
    """
    begins, ends = projected[:, 0, 0], projected[:, -1, 0]
    return float(np.corrcoef(begins, ends)[0, 1]) if begins.std() > 0 and ends.std() > 0 else 0.0


def ended(run: Run, sampler: str, steps: int) -> tuple[State, np.ndarray, np.ndarray]:
    """A sampler from the run's noise: its state after one step, its end (h, w, C), and its image (1, H, W, 3)."""
    states = []
    for moment in run.pipe.stream(run.prompt, seed=run.seed,
                                  **run.options | {"sampler": sampler, "num_inference_steps": steps}):
        if moment.name == "sampling":
            states.append(moment.value)
    return states[0], to_host(states[-1].x)[0], bytes_of(moment.value)


def slopes_of(run: Run, first: State, count: int) -> dict:
    """How far Heun's first step ends from Euler's, in two factors, so that x differs by half their product.

    `factor` = α' (σ/α − σ'/α') is what the step multiplies slopes by; `difference` is how far the slopes, ε at both of
    its ends, are apart, relative to the first one.
    """
    step = with_sampler(run.pipe.scheduler, "heun").steps(count)[0]
    (_, alpha, sigma), (_, end_alpha, end_sigma) = step
    x0, noise = to_host(first.denoised)[0], run.noise
    factor = end_alpha * (sigma / alpha - end_sigma / end_alpha)
    apart = np.linalg.norm(to_host(first.x)[0] - advance(noise, x0, step)) * 2 / factor
    return {"steps": count, "factor": factor,
            "difference": apart / np.linalg.norm(output_of("epsilon", x0, noise, alpha, sigma))}
