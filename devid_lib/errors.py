"""Exceptions: every one names the value that was refused and, where there is one, the file."""


class DevidError(Exception):
    """Base of all errors that this library raises on purpose."""


class ParameterError(DevidError, ValueError):
    """A parameter has a name or a value that is not allowed."""


class AudioError(DevidError):
    """A recording cannot be used: the message names the file and the reason."""


class CorpusError(DevidError):
    """A set of recordings cannot be used: the message names the folder or table and the reason."""


class CodecError(DevidError):
    """This machine's FFmpeg or libsndfile cannot encode: the message names the codec and the encoder."""
