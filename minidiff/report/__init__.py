"""Reports for people: image grids, contact sheets of failures, plots, and report.md of a training run."""
