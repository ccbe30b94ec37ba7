"""How models learn: a file a stage, one loop for all, AdamW and Muon over flat buffers, a run folder that resumes."""
