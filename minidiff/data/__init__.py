"""Captioned images: the built-in scenes, batches of them, and the judge that reads them."""
