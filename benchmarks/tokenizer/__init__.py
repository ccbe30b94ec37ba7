"""Learning a vocabulary and encoding texts."""
