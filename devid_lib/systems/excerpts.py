"""Excerpts: whole recordings or parts of them, with a place to keep features that several systems share."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..audio import load_recording
from ..errors import ParameterError, check_count, check_positive

LARGEST = 1e6  # full scale = 1: anything larger is no recording, and its power would overflow
MOST_KEPT = 3  # features of an excerpt: systems that share one come near each other in the registry


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A part of a recording, or all of it.

    What is not one channel of finite floats, or has a ``samplerate`` that is not a positive whole number, raises
    ParameterError. One shorter than a frame, even an empty one, is filled up with zeros by whoever cuts frames, with a
    `ShortExcerptWarning`.

    >>> Excerpt(np.array([0.5, -0.5]), 8000).feature(lambda y, samplerate: len(y) / samplerate)
    0.00025
    """

    y: np.ndarray  # [shape=(n,)], samples, full scale = 1
    samplerate: int  # [Hz]
    device: str = ""  # empty where unknown; systems never look at this, nor at the recording
    recording: str = ""
    start: int = 0  # first sample within the recording
    kept: dict = field(default_factory=dict, repr=False)  # the features that were asked for last, see `feature`

    @property
    def name(self):
        """Where it comes from, for messages."""
        return "/".join(filter(None, (self.device, self.recording))) or "an excerpt"

    def __post_init__(self):
        name, y = self.name, np.asarray(self.y)
        if y.ndim != 1 or y.dtype.kind != "f":
            raise ParameterError(f"{name}: samples must be one channel of floats, not {y.dtype} of shape {y.shape}")
        if not np.abs(y).max(initial=0) < LARGEST:  # also true of NaN
            raise ParameterError(f"{name}: not all of its {len(y)} samples are finite and below {LARGEST:g}")
        check_count(f"{name}: samplerate", self.samplerate)

    def part(self, start, stop, *, copy=True):
        """Return the excerpt from sample ``start`` to before ``stop``: a copy, so that this can go, or its samples."""
        y = self.y[start:stop]
        return replace(self, y=np.array(y) if copy else y, start=self.start + start, kept={})

    def feature(self, function, **params):
        """Return ``function(y, samplerate, **params)``, computed once for systems that ask for it in turn."""
        key = (function.__module__, function.__qualname__, tuple(sorted(params.items())))
        value = self.kept.pop(key) if key in self.kept else function(self.y, self.samplerate, **params)
        for old in list(self.kept)[: len(self.kept) + 1 - MOST_KEPT]:
            del self.kept[old]
        self.kept[key] = value
        return value


def whole_recordings(corpus, split):
    """Yield every recording of one ``split``, "train" or "test", of `corpus.load_corpus` as one excerpt."""
    for row in corpus[corpus["split"] == split].itertuples():
        y, samplerate = load_recording(row.path, samplerate=int(row.samplerate))
        yield Excerpt(y, samplerate, row.device, row.recording)


def cut_excerpts(recordings, *, seconds, n, seed=0):
    """Cut ``n`` excerpts of one length [s] out of each recording at random places, as a list in order of time.

    ``recordings`` are any Excerpts; one that is shorter gives itself, once. ``seed``, a number or a generator, decides
    the places. Excerpts are copies, so that the recording can go, unless they would be larger than it.

    >>> whole = Excerpt(np.zeros(8000), 8000, "A", "r1")
    >>> [(len(x.y), x.start) for x in cut_excerpts([whole], seconds=0.5, n=2)]
    [(4000, 2548), (4000, 3403)]
    """
    check_positive("seconds", seconds)
    rng, excerpts = np.random.default_rng(seed), []
    for whole in recordings:
        length = round(seconds * whole.samplerate)
        if length >= len(whole.y):
            excerpts.append(whole)
            continue
        small = n * length <= len(whole.y)
        for start in np.sort(rng.integers(len(whole.y) - length + 1, size=n)):
            excerpts.append(whole.part(int(start), int(start) + length, copy=small))
    return excerpts


def pieces(whole, *, seconds):
    """Cut an excerpt into pieces of some seconds [s], one after the other; one that is shorter gives itself.

    They share its samples.

    >>> [(len(x.y), x.start) for x in pieces(Excerpt(np.zeros(20_000), 8000), seconds=1)]
    [(8000, 0), (8000, 8000)]
    """
    length = round(seconds * whole.samplerate)
    return [whole.part(i, i + length, copy=False) for i in range(0, len(whole.y) - length + 1, length)] or [whole]
