"""Warnings: what a system did about an excerpt or a corpus that its method was not made for."""


class DevidWarning(UserWarning):
    """Base of all warnings of the systems."""


class NearSilenceWarning(DevidWarning):
    """No window of an excerpt is near-silent: the quietest is used."""


class ShortExcerptWarning(DevidWarning):
    """An excerpt is shorter than a frame: it is filled up with zeros."""


class FewFramesWarning(DevidWarning):
    """There are too few frames for the model that was asked for: the message says what is done."""


class SingularCovarianceWarning(DevidWarning):
    """A covariance is singular, or nearly: it is floored."""
