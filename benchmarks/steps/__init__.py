"""One training step of each stage, and one denoising forward pass."""
