"""Text-to-image diffusion from scratch on arrays.

    from minidiff import Pipeline
    [image] = Pipeline.from_pretrained("scenes")("a red heart above a blue square")
"""

__all__ = ["Pipeline"]


def __getattr__(name):
    """Import the pipeline when it is first used: `import minidiff` alone loads nothing heavy."""
    if name == "Pipeline":
        from .pipeline import Pipeline

        return Pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
