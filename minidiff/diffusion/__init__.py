"""Noise and how to remove it: x = α x0 + σ ε everywhere. Needs only arrays and a function `denoise(x, time)`.

schedules         tables of α and σ over the training times
objectives        what a network predicts, and how to get x0 from it
samplers          one step, and the samplers without memory: DDIM, DDPM, Euler, Euler ancestral, Heun
multistep         the samplers that reuse earlier answers: PNDM, LMS, DPM-Solver++, UniPC
spacing           which times a run of n steps visits
sampler_table     one entry per sampler: its function, its times, its class and settings in diffusers
scheduler         all of the above as one object
scheduler_config  this object read from and written to the scheduler_config.json of a diffusers folder
guidance          wrappers around a network: classifier-free guidance, inpainting
"""
