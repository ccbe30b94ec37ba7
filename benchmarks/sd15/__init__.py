"""Stable Diffusion 1.5 in full size: a call of each part, its time and its memory."""
