"""Which words each pixel listened to: the weights of cross-attention as heat maps over the image."""

from __future__ import annotations

import numpy as np

from ..data.judge import read
from ..nn.transformer import Attention
from ..ops import attention
from .images import packed, rounded
from .run import Run

SOURCES = (attention, Attention, read)
MOST_STEPS = 20


def view(run: Run) -> dict:
    chosen = run.shown if len(run.shown) <= MOST_STEPS else run.shown[::2]
    names = list(run.steps[0].weights)
    layers = []
    for name in names:
        maps = np.stack([run.steps[i].weights[name][..., :run.tokens] for i in chosen])       # (S, A, P, Q, K)
        if not run.is_small:
            maps = maps.mean(axis=1, keepdims=True, dtype=np.float32)
        layers.append({"name": short(name), "maps": packed(np.sqrt(np.moveaxis(maps, -1, 2)))})  # (S, A, K, P, Q)
    found = overlaps(run)
    return {
        "tokens": [run.pipe.tokenizer.tokens[i].replace("</w>", "") for i in run.ids[:run.tokens]],
        "steps": [i + 1 for i in chosen], "layers": layers, "scene": run.scene is not None, "overlaps": found,
        "sharpest": None if found else sharpest(run), "received": rounded(received(run)),
        "padding": len(run.ids) - run.tokens, "heads": sum(len(w) for w in run.steps[0].weights.values()),
    }


def received(run: Run) -> dict:
    """The fractions of all attention in this run that go to start, words, end and what pads the prompt."""
    each = np.mean([weights.mean(axis=(0, 1, 2), dtype=np.float64)
                    for step in run.steps for weights in step.weights.values()], axis=0)
    end = run.tokens - 1
    return {"start": each[0], "words": each[1:end].sum(), "end": each[end], "padding": each[end + 1:].sum()}


def short(name: str) -> str:
    """'unet.up_blocks.1.attentions.0.transformer_blocks.0.attn2' -> 'up_blocks.1.attentions.0'"""
    return name.removeprefix("unet.").split(".transformer_blocks")[0]


def overlaps(run: Run) -> list[dict]:
    """For each word that names an object that the judge found: how much of its attention lies in the object's box.

    `gain` is that fraction divided by the fraction of the image that the box covers: 1 is attention that ignores it.
    `best` is the head in which pixels of the box listen to the word most beyond their part in `start`: start of text
    precedes all words and so knows none, and a head that looks there for it knows a place, not a word.
    """
    if run.scene is None:
        return []
    words = [run.pipe.tokenizer.tokens[i].replace("</w>", "") for i in run.ids[:run.tokens]]
    found = []
    for one in read(run.image).objects:
        box = [edge / 64 for edge in one.box]
        area = (box[2] - box[0]) * (box[3] - box[1])
        for word in (one.colour, one.shape):
            if words.count(word) == 1:
                token = words.index(word)
                heads = head_maps(run, token)
                inside, start = (np.array([[fraction_inside(heat, box) for heat in layer] for layer in maps])
                                 for maps in (heads, head_maps(run, 0)))
                beyond = (inside - start) * np.array([layer.mean(axis=(1, 2)) for layer in heads])
                layer, head = np.unravel_index(beyond.argmax(), beyond.shape)
                mean = fraction_inside(sum(finest(layer.mean(axis=0), run) for layer in heads), box)
                found.append({"word": word, "token": token, "object": f"{one.colour} {one.shape}", "box": box,
                              "inside": mean, "area": area, "gain": mean / area,
                              "best": {"layer": int(layer), "head": int(head), "inside": inside[layer, head],
                                       "start": start[layer, head]}})
    return rounded(found)


def sharpest(run: Run) -> dict | None:
    """The word and the head, of those with the finest maps, whose weights differ most over the image."""
    maps = {token: head_maps(run, token) for token in range(1, run.tokens - 1)}
    finest = max(weights.shape[1] for weights in run.steps[0].weights.values())
    differing = {(token, layer, head): heat.std() for token, layers in maps.items()
                 for layer, heads in enumerate(layers) for head, heat in enumerate(heads) if len(heat) == finest}
    if not differing or not run.is_small:
        return None
    token, layer, head = max(differing, key=differing.get)
    return {"token": token, "best": {"layer": layer, "head": head}}


def head_maps(run: Run, token: int) -> list[np.ndarray]:
    """The maps of a token by layer, (A, P, Q), each the mean over all steps."""
    return [np.mean([step.weights[name][..., token] for step in run.steps], axis=0, dtype=np.float64)
            for name in run.steps[0].weights]


def finest(heat: np.ndarray, run: Run) -> np.ndarray:
    """A map with the resolution of the finest layer; a pixel of a coarser one is repeated (as in DAAM, 2210.04885)."""
    side = max(weights.shape[1] for weights in run.steps[0].weights.values()) // len(heat)
    return heat.repeat(side, axis=0).repeat(side, axis=1)


def fraction_inside(heat: np.ndarray, box: list[float]) -> float:
    """The fraction of a map that lies in a box, whose edges (left, top, right, bottom) go from 0 to 1; 0 of nothing."""
    height, width = heat.shape
    rows, columns = covered(box[1], box[3], height), covered(box[0], box[2], width)
    total = heat.sum()
    return float(rows @ heat @ columns / total) if total else 0.0


def covered(low: float, high: float, count: int) -> np.ndarray:
    """How much of each of `count` pixels of a line from 0 to 1 lies between two of its points."""
    edges = np.arange(count + 1) / count
    return np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) * count
