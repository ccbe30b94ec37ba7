"""What explains the source: a page about one run of a model, points in the plane as the smallest one, and figures."""
