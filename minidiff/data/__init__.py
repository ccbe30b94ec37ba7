"""Captioned images: the built-in scenes and the judge that reads them, and a person's own files."""
