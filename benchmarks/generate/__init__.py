"""Prompt to image, from the shell and with everything loaded."""
