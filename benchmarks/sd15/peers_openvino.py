"""The same parts by OpenVINO, which needs no PyTorch once they are converted."""

from __future__ import annotations

from ..steps.peers_openvino import call_of


def opened(part: str, folder, arrays, threads: int):
    """A call of the part."""
    call = call_of(folder / f"{part}.xml", arrays, threads)
    return call if part == "text" else lambda: call().transpose(0, 2, 3, 1)
