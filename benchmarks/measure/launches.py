"""How many kernels, copies and products a call starts on a GPU: the nodes of the graph that it is recorded into."""

from __future__ import annotations

import re
from collections.abc import Callable


def launches(run: Callable, device: str = "cuda") -> int | None:
    """None on a CPU, and for a call that cannot be recorded, as it reads from the GPU or uploads to it."""
    if device == "cpu":
        return None
    import cupy

    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    cupy.cuda.Device().synchronize()
    with stream, cupy.cuda.using_allocator(pool.malloc):
        run()  # loads kernels and fills the pool
        stream.synchronize()
        stream.begin_capture()
        try:
            kept, failed = run(), False  # what it returns keeps its memory until the recording ends
        except Exception:  # whatever a library refuses to have recorded
            kept, failed = None, True
        try:
            graph = stream.end_capture()
        except cupy.cuda.runtime.CUDARuntimeError:
            graph, failed = None, True
    count = None if failed else nodes(graph)
    del kept, graph
    pool.free_all_blocks()  # which a pool of CuPy that is dropped keeps
    return count


def nodes(graph) -> int:
    """CuPy shows a graph as text only: each node is named `graph_1_node_7` in it."""
    return len(set(re.findall(r"graph_\d+_node_\d+", graph.debug_dot_str())))
