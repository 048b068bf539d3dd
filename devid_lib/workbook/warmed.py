"""Imports that most notebooks share: the process that `execution` forks for every notebook does them once.

Nothing may be computed here: threads would be left behind by the fork.
"""

import importlib
import os
import sys

from ..files import stderr_to
from ..models import keras_environment
from .launch import UNUSED

HEAVY = ("keras", "seaborn", "scipy.signal", "sklearn.svm", "sklearn.mixture", "sklearn.manifold")
OURS = (".session", ".provisioner", "..plots", "..systems", "..kernels", "..degrade", "..splices")

sys.modules |= UNUSED
keras_environment()
with stderr_to(os.devnull):  # TensorFlow's chatter
    for module in (*HEAVY, "papermill.cli", "ipykernel.kernelapp", *OURS):
        importlib.import_module(module, __package__)
