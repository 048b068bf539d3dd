"""Imports of the notebook of a case, for `execution.warm_up`; as in `warmed`, nothing may be computed here."""

import sys

from .launch import UNUSED

sys.modules |= UNUSED
import ipykernel.kernelapp  # noqa: E402, F401
import papermill.cli  # noqa: E402, F401

from .. import kernels  # noqa: E402, F401
from . import case_page, provisioner, validation  # noqa: E402, F401
