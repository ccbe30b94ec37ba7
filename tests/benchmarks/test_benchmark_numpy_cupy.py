"""The page about NumPy and CuPy: written where no GPU is, with what is missing said, and whole where both are."""

from __future__ import annotations

from benchmarks import command
from benchmarks.numpy_cupy import benchmark, page


def test_without_a_gpu_the_page_has_numpys_half(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.ops.curves.gpu_available", lambda: False)
    monkeypatch.setattr("benchmarks.ops.runs.gpu_available", lambda: False)
    monkeypatch.setattr(benchmark, "gpu_available", lambda: False)
    monkeypatch.setattr(benchmark, "drawn", lambda: [drawn for drawn in DRAWN if drawn[0].label == "silu"])
    monkeypatch.setattr(benchmark, "waterfall", lambda setup: [step(setup.device, "plain", 0.1, None)])
    options = ["--sizes", "smoke", "--rounds", "1", "--out", str(tmp_path)]
    assert command.main(["numpy-cupy", *options]) == 0
    [file] = tmp_path.glob("*/numpy-cupy.md")
    text = file.read_text("utf-8")
    assert "| silu, 16384 elements |" in text and "x plain" in text
    assert "| NumPy | plain | 100 ms | - |" in text
    assert "- waterfall, on a GPU: no GPU found" in text and "- silu, forward, crossing: no GPU found" in text


DRAWN = benchmark.drawn()


def step(device, detail, seconds, count):
    name = "NumPy" if device == "cpu" else "CuPy"
    return {"what": "waterfall", "detail": detail, "ratios": {}, "launches": {name: count},
            "times": {name: {"median": seconds, "minimum": seconds}}}


def test_with_a_gpu_the_page_has_both_halves(tmp_path):
    times = {"NumPy plain": 4e-3, "NumPy": 2e-3, "CuPy plain": 4e-5, "CuPy": 2e-5}
    own = {"what": "silu, forward", "part": "forward", "ratios": {}}
    rows = [own | {"detail": "64 elements", "elements": 64,
                   "times": {name: {"median": value} for name, value in times.items()}},
            own | {"detail": "crossing", "times": {}, "floor": 1e-5, "verdict": "fast",
                   "crossing": {"elements": 12345.0, "with transfers": None}}, step("cuda", "+ captured", 1e-3, 7)]
    machine = {"cpu": "a CPU", "cores": 2, "gpu": "a GPU", "precision": "float32", "date": "today"}
    [file] = page.write({"rows": rows, "machine": machine}, tmp_path, "numpy-cupy")
    text = file.read_text("utf-8")
    assert "| silu, 64 elements | 4 ms, 2 ms | 40 µs, 20 µs | 10 µs | 1.2e+04 (never) | fast |" in text
    assert "| CuPy | + captured | 1 ms | 7 |" in text and "missing" not in text
