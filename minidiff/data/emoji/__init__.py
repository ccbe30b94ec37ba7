"""Emoji: a set of images with names, from which endless captioned images are made: in colours, counted, in relations."""
