"""Imports that most notebooks share: the process that `execution` forks for every notebook does them once."""

import os

from ..files import stderr_to
from ..models import keras_environment
from .launch import preload

HEAVY = ("keras", "seaborn", "scipy.signal", "sklearn.svm", "sklearn.mixture", "sklearn.manifold")
OURS = (".session", "..plots", "..systems", "..kernels", "..degrade", "..splices")

keras_environment()
with stderr_to(os.devnull):  # TensorFlow's chatter
    preload(*HEAVY, *OURS)
