"""What a person looks at: grids of images, contact sheets of failures, plots."""
