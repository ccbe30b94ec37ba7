"""Layers and blocks: objects with parameters, called like ops."""
