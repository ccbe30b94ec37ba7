"""Comparisons with the software that others wrote: PyTorch, diffusers, transformers. Needs the `peers` extra."""
