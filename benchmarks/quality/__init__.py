"""A training from nothing, and how many prompts it draws right as time goes on."""
