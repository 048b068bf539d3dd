"""Imports of the notebook of a case, as in `warmed`."""

from .launch import preload

preload("..kernels", ".case_page", ".validation")
