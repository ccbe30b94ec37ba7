"""Convolutions on a GPU by cuDNN, through its Python frontend, where both are installed.

cuDNN is told what is to be computed and chooses, by its heuristics, how: a plan. Its tensors are images (N, C, H, W) by
name and channels last in memory, as ours are, so an array (N, H, W, C) is passed as it is. Weights are (O, k, k, I).
"""

from __future__ import annotations

import functools
import importlib.util
import threading
import warnings

TYPES = {"f": "FLOAT", "d": "DOUBLE", "e": "HALF"}      # dtype.char -> cudnn.data_type

# operation: (its arguments, its result), where x, w and y are those of y = x * w
OPERATIONS = {"conv_fprop": ({"image": "x", "weight": "w"}, "y"),
              "conv_dgrad": ({"loss": "y", "filter": "w"}, "x"),
              "conv_wgrad": ({"image": "x", "loss": "y"}, "w")}


class CuDNN:
    """The library with one handle, to be used by one thread on one device."""

    def __init__(self, library):
        self.library, self.handle = library, library.create_handle()
        self.plan = functools.cache(self.build)

    def build(self, operation, shapes, stride, padding, dtype, tf32):
        """(plan, its argument tensors, its result's) for shapes {x, w, y} in a tuple; None if cuDNN has none.

        `tf32` allows factors rounded to 10 bits. Plans that add in a varying order are out, since a recorded step has
        the bits of a launched one, and so are those that round the factors or sums of float16.
        """
        library, shapes = self.library, dict(zip("xwy", shapes, strict=True))
        kind, sums = (getattr(library.data_type, TYPES[char]) for char in (dtype, "d" if dtype == "d" else "f"))
        graph = library.pygraph(handle=self.handle, io_data_type=kind, intermediate_data_type=sums,
                                compute_data_type=sums)
        arguments, result = OPERATIONS[operation]
        tensors = {name: graph.tensor(name=name, data_type=kind, **channels_last(shapes[of]))
                   for name, of in arguments.items()}
        before, after = zip(*padding, strict=True)
        y = getattr(graph, operation)(**tensors, pre_padding=[*before], post_padding=[*after],
                                      stride=[stride, stride], dilation=[1, 1])
        described = channels_last(shapes[result])
        y.set_output(True).set_data_type(kind).set_dim(described["dim"]).set_stride(described["stride"])
        notes = ["NONDETERMINISTIC", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION"]
        if dtype == "f" and not tf32:
            notes.append("TENSOR_CORE")
        try:
            graph.validate()
            graph.build_operation_graph()
            graph.create_execution_plans([library.heur_mode.A, library.heur_mode.FALLBACK])
            graph.deselect_numeric_notes([getattr(library.numerical_note, note) for note in notes])
            graph.check_support()
            graph.build_plans()
        except library.cudnnGraphNotSupportedError:
            return None
        return graph, [*tensors.values()], y

    def run(self, plan, arguments, result, workspace, stream):
        """Run a plan on a stream with addresses of arrays; `workspace` has the bytes that it asks for."""
        graph, tensors, y = plan
        self.library.set_stream(handle=self.handle, stream=stream)
        graph.execute({**dict(zip(tensors, arguments, strict=True)), y: result}, workspace, handle=self.handle)


def channels_last(shape):
    """An array (N, H, W, C) as cuDNN is told of it."""
    n, height, width, channels = shape
    return {"dim": [n, channels, height, width],
            "stride": [height * width * channels, 1, width * channels, channels]}


def current_stream() -> int:
    import cupy

    return cupy.cuda.get_current_stream().ptr


def available() -> CuDNN | None:
    """The handle of this thread on the current device; None without the frontend, or, with a warning, if it fails."""
    import cupy

    return opened(cupy.cuda.runtime.getDevice(), threading.get_ident())


@functools.cache
def opened(device: int, thread: int) -> CuDNN | None:
    if importlib.util.find_spec("cudnn") is None:
        return None
    try:
        from cuda import pathfinder

        for name in ("cudart", "cudnn"):  # the frontend takes those that are loaded
            pathfinder.load_nvidia_dynamic_lib(name)
        import cudnn

        return CuDNN(cudnn)
    except Exception as error:
        warnings.warn(f"convolutions do without cuDNN, as it can't be opened: {error}", stacklevel=3)
        return None
