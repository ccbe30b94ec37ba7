"""What a person looks at: grids of pictures, contact sheets of failures, plots."""
