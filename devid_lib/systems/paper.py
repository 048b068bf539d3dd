"""The paper's own systems as estimators on excerpts, so that they stand in one table with the others."""

import numpy as np
import pandas as pd

from .. import models, training
from ..dataset import Dataset
from ..features import extract_features
from ..segments import random_segments, regular_segments
from .base import System
from .spectra import evenly


class PaperSystem(System):
    """Qi, Huang, Li & Shi (2016), ICSPCC: wavelet noise of segments, log spectrum, neural network, summed posteriors.

    As published: segments of 4096 samples, noise by wavelet shrinkage, log(|FFT| + 1); layers as in `models`.
    Adapted: the workbook's default recipe (feature scale, whitening, Adam, epochs judged on held-out stretches of the
    training recordings) in place of the authors' one, which chose the epoch on the test set.

    Parameters
    ----------
    system : str
        A key of `models.SYSTEMS`.
    noise : {"wavelet", "none"}
        Noise extraction.
    segment_length : int
        [samples]
    train_segments : int
        Random segments per training excerpt.
    epochs : int
        0 = the recipe's own.
    random_state : int
    recipe : {"default", "published"}
        Whose feature scale; `fit` trains by the default recipe.
    voters : int
        Segments of an excerpt that vote, evenly spread over it, posteriors summed; 0 = all that it holds.
    fitted : keras.Model, optional
        A model trained on the same recordings, so that `fit` has nothing to do.
    """

    def __init__(
        self,
        *,
        system="mlp-3",
        noise="wavelet",
        segment_length=4096,
        train_segments=1000,
        epochs=0,
        random_state=0,
        recipe="default",
        voters=0,
        fitted=None,
    ):
        self.system = system
        self.noise = noise
        self.segment_length = segment_length
        self.train_segments = train_segments
        self.epochs = epochs
        self.random_state = random_state
        self.recipe = recipe
        self.voters = voters
        self.fitted = fitted

    def _fit(self, excerpts, codes):
        self.model_ = self.fitted
        if self.fitted is not None:
            return
        rng, parts, tables = np.random.default_rng(self.random_state), [], []
        for i, (excerpt, code) in enumerate(zip(excerpts, codes, strict=True)):
            segments, start = random_segments(excerpt.y, n=self.train_segments, length=self.segment_length, rng=rng)
            parts.append(self._represented(segments))
            names = {"device": self.classes_[code], "recording": str(i), "split": "train", "draw": 0}
            tables.append(pd.DataFrame({"start": start}).assign(**names, n_samples=len(excerpt.y)))
        table, settings = pd.concat(tables, ignore_index=True), {"segment_length": self.segment_length}
        dataset = Dataset(np.concatenate(parts), table, tuple(self.classes_), settings, None)
        options = training.model_options("default") | {"seed": self.random_state}
        self.model_ = models.build(self.system, dataset.X.shape[1:], len(self.classes_), **options)
        training.fit(self.model_, dataset, recipe="default", seed=self.random_state, epochs=self.epochs)

    def _proba(self, excerpts):
        posteriors, rows, counts = [], [], []
        for i, excerpt in enumerate(excerpts):
            y = np.pad(excerpt.y, (0, max(0, self.segment_length - len(excerpt.y))))
            segments, _ = regular_segments(y, length=self.segment_length)
            segments = evenly(segments, self.voters) if self.voters else segments
            rows.append(self._represented(segments))
            counts.append(len(segments))
            if sum(map(len, rows)) > 4096 or i == len(excerpts) - 1:  # not all at once: they fill the memory
                posteriors.append(self.model_.predict(np.concatenate(rows), batch_size=1024, verbose=0))
                rows = []
        starts = np.cumsum([0, *counts[:-1]])
        return np.add.reduceat(np.concatenate(posteriors), starts, axis=0) / np.array(counts)[:, None]

    def _represented(self, segments):
        """Return what the network takes in: samples, the spectrum, or the spectra of two halves."""
        if self.system.startswith("cnn"):
            return np.ascontiguousarray(segments, dtype=np.float32)
        if self.system.startswith("averaged"):
            segments = np.reshape(segments, (len(segments), 2, -1))
        scale = training.feature_scale(self.recipe, segments.shape[-1])
        return extract_features(segments, noise=self.noise, scale=scale)
