"""What makes notebooks into a workbook: parameters, session and run folder, the ``devid`` command, pages."""

from .session import start
from .tables import describe, joined, percent, show, signed, told

__all__ = ["describe", "joined", "percent", "show", "signed", "start", "told"]
