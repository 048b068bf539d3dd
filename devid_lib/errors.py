"""Exceptions, and the checks that many modules make: values refused are named, and files."""

from numbers import Integral, Real

import numpy as np

RATES = (2000, 768000)  # lowest and highest plausible sample rate [Hz]


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


def check_name(parameter, name, allowed):
    """Raise ParameterError unless a name is one of those allowed."""
    if not isinstance(name, str) or name not in allowed:
        raise ParameterError(f"{parameter}={name!r} is not one of {', '.join(allowed)}")


def check_count(parameter, value, *, least=1):
    """Return a whole number as int; raise ParameterError for anything else, True among it, and below the least."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ParameterError(f"{parameter}={value!r} is not a whole number of at least {least}")
    return int(value)


def check_positive(parameter, value):
    """Raise ParameterError unless a value is a number above 0, and finite."""
    if not isinstance(value, Real) or not 0 < value < np.inf:
        raise ParameterError(f"{parameter}={value!r} is not a positive number")


def check_samplerate(samplerate):
    """Return a sample rate as an integer [Hz], or ``None`` for ``None``; refuse what is no plausible whole number."""
    if samplerate is None:
        return None
    number = isinstance(samplerate, Real) and not isinstance(samplerate, bool)
    if not (number and RATES[0] <= samplerate <= RATES[1] and samplerate % 1 == 0):
        raise ParameterError(f"samplerate={samplerate!r} must be a whole number of hertz between {RATES[0]} and "
                             f"{RATES[1]}, or None")
    return int(samplerate)


def check_signal(x, *, shortest=1, single=False):
    """Return an array of real numbers [shape=(..., n); if ``single``, (n,)] or raise ParameterError; n >= shortest."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiu":
        raise ParameterError(f"a signal holds real numbers; this one holds {x.dtype}")
    if x.ndim < 1 or x.shape[-1] < shortest or (single and x.ndim > 1):
        least = f"{'one channel of ' if single else ''}at least {shortest} samples"
        raise ParameterError(f"a signal has {least}; this one has shape {x.shape}")
    return x


def check_finite(x):
    """Return an array of samples; raise ParameterError if one of them is NaN or infinite."""
    if not np.isfinite(x).all():
        raise ParameterError("a signal must be finite; this one has NaN or infinite samples")
    return x
