"""A moving average that follows an array, as that of a model's parameters does. It has no backward pass."""

from .dispatch import replaceable


@replaceable
def follow(average, w, decay):
    """a ← a + (1 − d) (w − a)

    average (...), w (...) -> average (...), in place
    """
    average += (1 - decay) * (w - average)
