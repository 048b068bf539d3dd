"""The paper's own networks as estimators on excerpts, so that they stand in one table with the others."""

import itertools
from dataclasses import dataclass

import numpy as np

from .. import models, training
from ..dataset import represent
from ..errors import check_name
from ..segments import regular_segments
from .base import System
from .spectra import pooled

BLOCK = 512  # segments given to the network at a time: those of a whole corpus would fill the memory


@dataclass(eq=False, repr=False, kw_only=True)
class PaperNetwork(System):
    """Qi, Huang, Li & Shi (2016), ICSPCC: log spectrum of segments or of their noise, network, summed posteriors.

    Fitted to the excerpts that the other systems learn from, by the default recipe and for as many epochs as that
    allows: no recording is left out to choose one. Scores are logarithms of an excerpt's mean posterior.
    """

    network: str  # one of `models.SYSTEMS`
    settings: dict  # what `dataset.represent` does to a segment, and segment_length
    random_state: int = 0

    def learns(self, unit):
        """Return "segment": a network takes segments of one length."""
        return "segment"

    def _segments(self, excerpts):
        length = self.settings["segment_length"]
        padded = [np.pad(x.y, (0, max(0, length - len(x.y)))) for x in excerpts]
        return [regular_segments(y, length=length)[0] for y in padded]

    def _fit(self, excerpts, codes):
        check_name("network", self.network, models.SYSTEMS)
        cut, family = self._segments(excerpts), models.SYSTEMS[self.network].family
        X, y = np.concatenate(list(self._inputs(cut))), np.repeat(codes, list(map(len, cut)))
        recipe = training.recipe_for(family, "default", noise=self.settings.get("noise", ""))
        models.import_keras().utils.set_random_seed(self.random_state)
        self.model_ = trained = models.build(self.network, X.shape[1:], len(self.classes_), seed=self.random_state)
        every = np.ones(len(X), bool)
        if family == "filterbank":
            X, trained = training.behind_fixed_layers(self.model_, X, every)
        training.compile_model(trained, recipe)
        training.fit_epochs(trained, family, X, y, (every, ~every), recipe)

    def _inputs(self, cut):
        """Yield what the network sees of the segments of all excerpts, a block of them at a time."""
        settings = self.settings | {"representation": models.SYSTEMS[self.network].representation}
        rows = itertools.chain.from_iterable(cut)
        while block := list(itertools.islice(rows, BLOCK)):
            yield represent(np.stack(block), settings)

    def _scores(self, excerpts):
        cut = self._segments(excerpts)
        posteriors = [np.asarray(self.model_(x, training=False), np.float64) for x in self._inputs(cut)]
        return np.log(pooled(np.concatenate(posteriors), cut) + 1e-30)
