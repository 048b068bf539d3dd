"""What makes notebooks into a workbook: parameters, session and run folder, the ``devid`` command, pages."""

from .session import start
from .tables import describe, differences, joined, percent, show, signed, told

__all__ = ["describe", "differences", "joined", "percent", "show", "signed", "start", "told"]
