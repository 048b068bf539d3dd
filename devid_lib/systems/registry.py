"""Which systems there are: the twelve that the paper cites, with their variants, and simple baselines (notebook 10)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .base import System
from .cepstra import AdaptedMixtures, CepstralStatistics, RecordingMixture
from .channel import BlindChannel
from .oneclass import RepresentativeOneClass
from .residual import LeakageResidual, NoiseCentroids, WienerDescriptors
from .silence import SilenceHistogram
from .sparse import RandomSpectralFeatures, SpectralSketches
from .spectra import DifferenceNearest, DifferenceSVM, MeanSpectrumNearest, TrivialForest
from .supervector import SupervectorSVM

PUBLISHED = {"[1]": 0.95, "[2]": 0.976, "[5]": 0.90, "[6]": 0.935, "[7]": 0.9555, "[8]": 0.95,
             "[12] centroids, raw, SVM": 0.508, "[12] centroids, noise, SVM": 0.745}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One row of the registry.

    Attributes
    ----------
    number : str
        The paper's reference, such as "[5]"; "baseline" for a baseline.
    citation, reported : str
        Who and where; what its authors report, on their own recordings.
    year : int or None
    adapted : bool
        Rebuilt from an abstract or made for another purpose, as its docstring says.
    variants : dict
        Label: the System, not fitted.
    """

    number: str
    citation: str
    year: int | None
    adapted: bool
    reported: str
    variants: dict[str, System]


def registry(*, seed=0):
    """Return all systems, not fitted.

    Parameters
    ----------
    seed : int
        Seed of whatever is random.

    Returns
    -------
    entries : list of Entry
    """
    s = {"random_state": seed}
    return [
        Entry("[1]", "Cuccovillo, Mann, Tagliasacchi & Aichroth, MMSP", 2013, True, "> 95 % (PCM, AAC, MP3)",
              {"channel estimate, RBF SVM": BlindChannel(**s)}),
        Entry("[2]", "Kotropoulos & Samaras, DSP", 2014, True, "97.6 % of 21 phones",
              {"GMM per recording, SVM": RecordingMixture(**s)}),
        Entry("[3]", "Zou, Yang & Huang, ChinaSIP", 2014, True, "14 phones",
              {"GMM-UBM, MFCC": AdaptedMixtures(feature="mfcc", **s),
               "GMM-UBM, PNCC": AdaptedMixtures(feature="pncc", **s)}),
        Entry("[4]", "Valero & Alias, IEEE TMM", 2012, True, "no devices",
              {"SVM, GTCC": CepstralStatistics(feature="gtcc"), "SVM, MFCC": CepstralStatistics(feature="mfcc"),
               "kNN, GTCC": CepstralStatistics(feature="gtcc", classifier="knn")}),
        Entry("[5]", "Garcia-Romero & Espy-Wilson, ICASSP", 2010, True, "> 90 % of 8 handsets",
              {"supervector SVM": SupervectorSVM(**s)}),
        Entry("[6]", "Buchholz, Kraetzer & Dittmann, IH", 2009, True, "93.5 % of 7 microphones",
              {"Fourier histogram, 256": SilenceHistogram(n_coefficients=256),
               "Fourier histogram, 2048": SilenceHistogram(n_coefficients=2048),
               "Fourier histogram, 2048, one of nine thresholds": SilenceHistogram(threshold="chosen")}),
        Entry("[7]", "Panagakis & Kotropoulos, MM&Sec", 2012, True, "95.55 % of 8 handsets",
              {"random spectral features, SRC": RandomSpectralFeatures(classifier="src", **s),
               "random spectral features, SVM": RandomSpectralFeatures(classifier="svm", **s),
               "random spectral features, NN": RandomSpectralFeatures(classifier="nn", **s)}),
        Entry("[8]", "Kotropoulos, IWBF", 2013, True, "> 95 % of 8 handsets",
              {"sketches, p = 2, SRC": SpectralSketches(p=2, **s), "sketches, p = 1, SRC": SpectralSketches(p=1, **s)}),
        Entry("[9]", "Ikram & Malik, ICME", 2010, True, "no accuracy", {"leakage residual": LeakageResidual()}),
        Entry("[10]", "Vu, Liu, Yang, Li & Ren, J. Networks", 2012, True, "one-class",
              {"one-class SVMs": RepresentativeOneClass(**s)}),
        Entry("[11]", "Moon, Kim & Kim, UITA", 2014, True, "", {"Wiener noise descriptors, SVM": WienerDescriptors()}),
        Entry("[12]", "Aggarwal, Singh, Roul & Khanna, ICCSP", 2014, True, "26 phones: 50.8 % raw, 74.5 % noise",
              {"centroids, raw, SVM": NoiseCentroids(source="raw", **s),
               "centroids, noise, SVM": NoiseCentroids(source="noise", **s)}),
        Entry("baseline", "mean log spectrum", None, False, "",
              {"mean log spectrum, 1-NN": MeanSpectrumNearest(), "first difference, 1-NN": DifferenceNearest(),
               "first difference, SVM": DifferenceSVM()}),
        Entry("baseline", "the leakage probe's six numbers", None, False, "",
              {"six trivial numbers, forest": TrivialForest(**s)}),
    ]  # fmt: skip


def published_accuracy(name):
    """Return what a system's authors report on their own recordings as a fraction, NaN where they do not.

    Parameters
    ----------
    name : str
        A key of `systems`.

    Returns
    -------
    accuracy : float
        Of the publication, for whole recordings or utterances; "above 95 %" counts as 95 %.
    """
    return PUBLISHED.get(name, PUBLISHED.get(name.split()[0], np.nan))


def systems(*, seed=0):
    """Return every system by the name it has in tables, such as "[5] supervector SVM"."""
    return {
        f"{entry.number} {label}": system for entry in registry(seed=seed) for label, system in entry.variants.items()
    }


def registry_table():
    """Return the registry for the eye: number, citation, year, adapted, reported, variants."""
    rows = [
        {"": e.number, "citation": e.citation, "year": e.year or "", "adapted": "adapted" if e.adapted else ""}
        | {"reported": e.reported, "variants": "; ".join(e.variants)}
        for e in registry()
    ]
    return pd.DataFrame(rows)
