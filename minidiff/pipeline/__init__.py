"""From a prompt to an image: what a caller may pass, what is drawn on, and the steps that the parts of a model take."""

from .pipeline import GUIDANCE, PART, STEPS, Moment, Pipeline
