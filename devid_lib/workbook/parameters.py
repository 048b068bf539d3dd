"""The parameters of the workbook: one table, checked wherever values come in."""

import difflib
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError, check_name
from ..features import WINDOWS
from ..noise import MODES, RESCALES, RULES
from ..training import RECIPES


@dataclass(frozen=True)
class Parameter:
    """What is known of a parameter."""

    default: str | int | float  # its type is that of every value
    help: str  # one line, unit in brackets; stands behind the value in a notebook's parameters cell
    allowed: tuple | int | float | None = None  # the values allowed, or the least one; none = any text


PARAMETERS = {
    "corpus": Parameter("simulated", "simulated, simulated-control, a name of devid corpora, a folder or a CSV"),
    "run_dir": Parameter("runs/lab", "folder for results, seen from the project"),
    "data_dir": Parameter("data", "folder for the simulated corpus and the cache, seen from the project"),
    "seed": Parameter(0, "one seed gives one result", 0),
    "size": Parameter("quick", "quick, or paper for the paper's lengths and numbers", ("quick", "paper")),
    "recording_minutes": Parameter(0.0, "length of a simulated recording [min], 0 for what size says", 0.0),
    "segment_length": Parameter(4096, "length of a segment [samples]", 64),
    "train_segments": Parameter(0, "segments per training recording, 0 for what size says", 0),
    "test_segments": Parameter(0, "segments per test recording and voter, 0 for what size says", 0),
    "samplerate": Parameter(0, "common rate [Hz], 0 for the lowest in the corpus", 0),
    "noise": Parameter("wavelet", "noise extraction, wavelet or none", ("wavelet", "none")),
    "window": Parameter("recipe", "window before the FFT: none (published), hann, or recipe", ("recipe", *WINDOWS)),
    "wavelet": Parameter("sym8", "any discrete wavelet of PyWavelets"),
    "level": Parameter(17, "levels of the wavelet transform", 1),
    "threshold": Parameter("minimaxi", f"threshold rule: {', '.join(RULES)}", RULES),
    "mode": Parameter("soft", "thresholding: soft or hard", MODES),
    "rescale": Parameter("sln", "noise level: sln (from the finest level), mln (from each level) or one (1)", RESCALES),
    "augment": Parameter("none", "training recordings as they are (none), or degraded too (multi)", ("none", "multi")),
    "recipe": Parameter("default", "default, or published (selects on the test set)", tuple(RECIPES)),
    "epochs": Parameter(0, "passes over the training segments, 0 for what the recipe says", 0),
    "batch_size": Parameter(0, "segments per step, 0 for what the recipe says", 0),
    "voters": Parameter(5, "independent sets of test segments", 1),
    "test_recordings": Parameter("", "names held out for every device, separated by commas"),
    "test_sessions": Parameter("", "sessions held out, separated by commas"),
    "predictions": Parameter("", "folder of the authors' predictions, or download"),
    "questioned": Parameter("", "files or folders that are asked about, one a line"),
    "background": Parameter("", "corpora of other devices, one a line"),
    "comparison": Parameter("", "folder of an earlier case, whose comparison is used again"),
    "sweep": Parameter("", "folder of a devid sweep, empty for a small one made here"),
    "on_error": Parameter("raise", "bad recordings, raise or skip (left out and listed)", ("raise", "skip")),
}
SIZES = {
    "quick": {"recording_minutes": 0.5, "train_segments": 60, "test_segments": 40},
    "paper": {"recording_minutes": 6.5, "train_segments": 1000, "test_segments": 100},
}
KINDS = {str: "text", int: "a whole number", float: "a number"}
PLACES = ("run_dir", "data_dir", "predictions", "sweep")  # where things are: not what makes a figure


def check_names(names):
    """Raise ParameterError for the first unknown parameter name and say which one may have been meant."""
    for name in names:
        if name not in PARAMETERS:
            near = difflib.get_close_matches(name, PARAMETERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(PARAMETERS)}"
            raise ParameterError(f"unknown parameter {name!r}: {hint}")


def check_params(values):
    """Return all `PARAMETERS`, of which ``values`` has some: defaults, and what the size says, are filled in.

    A type or value that is not allowed raises ParameterError, which names the parameter.

    >>> check_params({"size": "paper", "test_segments": 50})["train_segments"]
    1000
    """
    check_names(values)
    params = {name: parameter.default for name, parameter in PARAMETERS.items()} | values
    for name, value in params.items():
        params[name] = check_value(name, value)
    return params | {name: value for name, value in SIZES[params["size"]].items() if not params[name]}


def check_value(name, value):
    """Return the value of a parameter in its type, or raise ParameterError."""
    kind, allowed = type(PARAMETERS[name].default), PARAMETERS[name].allowed
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ParameterError(f"{name}={value!r} is not {KINDS[kind]}")
    if isinstance(allowed, tuple):
        check_name(name, value, allowed)
    if kind is float and not np.isfinite(value):
        raise ParameterError(f"{name}={value!r} is not a finite number")
    if name == "seed" and value >= 2**32:
        raise ParameterError(f"{name}={value!r} is not below 2^32")
    if isinstance(allowed, int | float) and value < allowed:
        raise ParameterError(f"{name}={value!r} is below {allowed}")
    return value


def parsed(pairs):
    """Return pairs of a name and a text as a dictionary, each value in the type of the parameter."""
    check_names(name for name, _ in pairs)
    values = {}
    for name, text in pairs:
        kind = type(PARAMETERS[name].default)
        try:
            values[name] = kind(text)
        except ValueError:
            raise ParameterError(f"{name}={text!r} is not {KINDS[kind]}") from None
    return values


def described():
    """Return one paragraph per parameter for ``devid run --help``: type, default, values."""
    lines = []
    for name, parameter in PARAMETERS.items():
        default = repr(parameter.default) if parameter.default == "" else parameter.default
        lines.append(f"  {name:18} {parameter.help} ({KINDS[type(parameter.default)]}; default {default})")
    return "\n".join(lines)


def differing(old, new):
    """Return the first parameter that makes other figures in ``new`` than in ``old``; empty if there is none."""
    return next((name for name in old if name not in PLACES and name in new and old[name] != new[name]), "")
