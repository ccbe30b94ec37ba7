"""Cold start, in a process of its own: DEVICE MODEL FOLDER -> a line of JSON.

FOLDER keeps compiled kernels: empty at first, so that NVRTC compiles them all, and full when the process starts again.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minidiff.backend import to_device, to_host
from minidiff.pipeline import Pipeline

from ..generate.benchmark import PROMPT, random_pipeline
from ..measure import process
from ..measure.rows import row
from .job import Job, Setup


def jobs(setup: Setup) -> Iterator[Job]:
    yield Job("cold start", 60, lambda: cold(setup))


def cold(setup: Setup) -> Iterator[dict]:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        random_pipeline(setup.small).save_pretrained(model, dtype="float32")
        for detail in ("kernels compiled", "kernels from the cache"):
            yield row("cold start", f"{setup.small}: {detail}", {}) | {
                "seconds": process.run("gpu.cold", setup.device, model, Path(folder) / "kernels")}


def main(device: str, model: str, folder: str) -> dict:
    """Seconds until the device has an array, the weights are there, one image is drawn, and another."""
    os.environ["CUPY_CACHE_DIR"] = folder
    found, begin = {}, time.perf_counter()

    def done(what):
        nonlocal begin
        found[what] = time.perf_counter() - begin
        begin = time.perf_counter()

    to_host(to_device(np.ones(1), device))
    done("device")
    pipe = Pipeline.from_pretrained(model, device)
    done("weights")
    for image in ("first image", "second image"):
        pipe(PROMPT, num_inference_steps=2, guidance_scale=3.0)
        done(image)
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
