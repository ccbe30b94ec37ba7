"""Short trainings that differ in one setting, and which of them draw more prompts right."""
