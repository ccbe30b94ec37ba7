"""NumPy and CuPy side by side, and a page about both."""
