"""Layers and blocks: objects with parameters that are called like ops."""
