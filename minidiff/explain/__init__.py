"""What explains the source: a page about one run of a model, and a figure for each folder."""
