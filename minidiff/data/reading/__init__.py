"""Captioned images read from the files that people have: folders, archives, arrays and tables."""
