"""Noise and how to undo it: x = alpha x0 + sigma eps everywhere, on arrays and a function `denoise(x, time)` only.

schedules         tables of (alpha, sigma) over the training times
objectives        what a network predicts, and x0 from it
samplers          one step, and the samplers without memory: DDIM, DDPM, Euler, Euler ancestral, Heun
multistep         the samplers that remember earlier answers: PNDM, DPM-Solver++, UniPC
spacing           which times a run of n steps visits
scheduler         all of the above under one name
scheduler_config  that, read from and written to scheduler_config.json of a diffusers folder
guidance          wrappers around a network: classifier-free guidance, inpainting
"""
