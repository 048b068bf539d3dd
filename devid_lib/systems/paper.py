"""The paper's own networks as estimators on excerpts, so that they stand in one table with the others."""

import itertools
from dataclasses import dataclass

import numpy as np

from ..dataset import represent
from ..errors import ParameterError
from ..segments import regular_segments
from .base import System
from .spectra import evenly, pooled

BLOCK = 512  # segments given to the network at a time: those of a whole corpus would fill the memory


@dataclass(eq=False, repr=False, kw_only=True)
class PaperSystem(System):
    """Qi, Huang, Li & Shi (2016), ICSPCC: noise of segments, log spectrum, neural network, summed posteriors.

    The network comes trained, on segments of the training recordings; `fit` makes sure that it knows as many devices.
    """

    model: object  # keras.Model, fitted as in notebooks 03 to 06
    settings: dict  # `Dataset.settings` of what it was fitted to
    voters: int  # segments of an excerpt that vote, evenly spread over it; all, where it holds no more

    def __sklearn_clone__(self):
        return self  # nothing is fitted that a copy would keep apart

    def _fit(self, excerpts, codes):
        if self.model.output_shape[-1] != len(self.classes_):
            n = self.model.output_shape[-1]
            raise ParameterError(f"the network knows {n} devices, the training recordings are of {len(self.classes_)}")

    def _segments(self, excerpt):
        length = self.settings["segment_length"]
        y = np.pad(excerpt.y, (0, max(0, length - len(excerpt.y))))
        return evenly(regular_segments(y, length=length)[0], self.voters)

    def _proba(self, excerpts):
        cut, posteriors = [self._segments(x) for x in excerpts], []
        rows = itertools.chain.from_iterable(cut)
        while block := list(itertools.islice(rows, BLOCK)):
            posteriors.append(np.asarray(self.model(represent(np.stack(block), self.settings), training=False)))
        return pooled(np.concatenate(posteriors), cut)
