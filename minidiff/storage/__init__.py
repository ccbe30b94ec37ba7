"""Models and training states on disk: safetensors files in the folders that diffusers reads. No pickle, ever."""
