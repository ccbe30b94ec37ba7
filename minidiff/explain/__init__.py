"""What explains the source: points in the plane as the smallest diffusion model, and a figure for each folder."""
