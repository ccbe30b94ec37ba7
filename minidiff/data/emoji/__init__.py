"""Emoji: a set of images with names, and endless captioned images made of them: in colours, counted, in relations."""
