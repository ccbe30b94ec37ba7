"""How the time of a diffusion step grows with its work."""
