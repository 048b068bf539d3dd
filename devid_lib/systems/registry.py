"""Which systems there are: the twelve that the paper cites, with their variants, and simple baselines (notebook 10)."""

from dataclasses import dataclass

import numpy as np

from .base import System
from .cepstra import AdaptedMixtures, CepstralStatistics, RecordingMixture, SupervectorSVM
from .channel import BlindChannel
from .oneclass import RepresentativeOneClass
from .residual import LeakageResidual, NoiseCentroids, WienerDescriptors
from .silence import SilenceHistogram
from .sparse import RandomSpectralFeatures, SpectralSketches
from .spectra import DifferenceNearest, DifferenceSVM, MeanSpectrumNearest, TrivialForest

# Of whole recordings or utterances, on the authors' own recordings, by number or by name; "above 95 %" counts as 95 %.
PUBLISHED = {"[1]": 0.95, "[2]": 0.976, "[5]": 0.90, "[6]": 0.935, "[7]": 0.9555, "[8]": 0.95,
             "[12] centroids, raw, SVM": 0.508, "[12] centroids, noise, SVM": 0.745}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One work and its systems."""

    number: str  # the paper's reference, such as "[5]"; "baseline" for a baseline
    citation: str
    year: int | None
    reported: str  # what its authors report, on their own recordings
    variants: dict[str, System]  # label: system, not fitted; the first is the one that the work puts forward


def registry(*, seed=0):
    """Return a list of every `Entry`, its systems not fitted; ``seed`` is that of whatever is random in them."""
    s = {"random_state": seed}
    return [
        Entry("[1]", "Cuccovillo, Mann, Tagliasacchi & Aichroth, MMSP", 2013, "> 95 % (PCM, AAC, MP3)",
              {"channel estimate, RBF SVM": BlindChannel(**s)}),
        Entry("[2]", "Kotropoulos & Samaras, DSP", 2014, "97.6 % of 21 phones",
              {"GMM per recording, SVM": RecordingMixture(**s)}),
        Entry("[3]", "Zou, Yang & Huang, ChinaSIP", 2014, "14 phones",
              {"GMM-UBM, MFCC": AdaptedMixtures(feature="mfcc", **s),
               "GMM-UBM, PNCC": AdaptedMixtures(feature="pncc", **s)}),
        Entry("[4]", "Valero & Alias, IEEE TMM", 2012, "no devices",
              {"SVM, GTCC": CepstralStatistics(feature="gtcc"), "SVM, MFCC": CepstralStatistics(feature="mfcc"),
               "kNN, GTCC": CepstralStatistics(feature="gtcc", classifier="knn")}),
        Entry("[5]", "Garcia-Romero & Espy-Wilson, ICASSP", 2010, "> 90 % of 8 handsets",
              {"supervector SVM": SupervectorSVM(**s)}),
        Entry("[6]", "Buchholz, Kraetzer & Dittmann, IH", 2009, "93.5 % of 7 microphones",
              {"Fourier histogram, 256": SilenceHistogram(n_coefficients=256),
               "Fourier histogram, 2048": SilenceHistogram(n_coefficients=2048)}),
        Entry("[7]", "Panagakis & Kotropoulos, MM&Sec", 2012, "95.55 % of 8 handsets",
              {"random spectral features, SRC": RandomSpectralFeatures(classifier="src", **s),
               "random spectral features, SVM": RandomSpectralFeatures(classifier="svm", **s),
               "random spectral features, NN": RandomSpectralFeatures(classifier="nn", **s)}),
        Entry("[8]", "Kotropoulos, IWBF", 2013, "> 95 % of 8 handsets",
              {"sketches, p = 2, SRC": SpectralSketches(p=2, **s), "sketches, p = 1, SRC": SpectralSketches(p=1, **s)}),
        Entry("[9]", "Ikram & Malik, ICME", 2010, "no accuracy", {"leakage residual": LeakageResidual()}),
        Entry("[10]", "Vu, Liu, Yang, Li & Ren, J. Networks", 2012, "one-class",
              {"one-class SVMs": RepresentativeOneClass(**s)}),
        Entry("[11]", "Moon, Kim & Kim, UITA", 2014, "", {"Wiener noise descriptors, SVM": WienerDescriptors()}),
        Entry("[12]", "Aggarwal, Singh, Roul & Khanna, ICCSP", 2014, "26 phones: 50.8 % raw, 74.5 % noise",
              {"centroids, noise, SVM": NoiseCentroids(source="noise"),
               "centroids, raw, SVM": NoiseCentroids(source="raw")}),
        Entry("baseline", "mean log spectrum", None, "",
              {"mean log spectrum, 1-NN": MeanSpectrumNearest(), "first difference, 1-NN": DifferenceNearest(),
               "first difference, SVM": DifferenceSVM()}),
        Entry("baseline", "the leakage probe's six numbers", None, "",
              {"six trivial numbers, forest": TrivialForest(**s)}),
    ]  # fmt: skip


def systems(*, seed=0):
    """Return every system by the name it has in tables, such as "[5] supervector SVM"."""
    return {f"{e.number} {label}": system for e in registry(seed=seed) for label, system in e.variants.items()}


def published_accuracy(name):
    """Return what the authors of a system, a key of `systems`, report as a fraction, NaN where they do not.

    >>> published_accuracy("[2] GMM per recording, SVM"), published_accuracy("[10] one-class SVMs")
    (0.976, nan)
    """
    return PUBLISHED.get(name, PUBLISHED.get(name.split()[0], np.nan))
