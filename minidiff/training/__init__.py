"""How the models learn: one file a stage, one loop for all, AdamW over flat buffers, a run folder that resumes."""
