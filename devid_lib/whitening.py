"""Whitening: the map that takes out of features what swings in common, and how a network takes it in (notebook 04)."""

from hashlib import blake2b

import numpy as np
import scipy.linalg

from .streams import BLOCK, parts, taken

SHARES = {"none": 0.03, "wavelet": 0.003}  # of all variance, in log spectra of segments and of their extracted noise
KNOWN = {}  # the last maps, and the segments after them: several networks are fitted to the same
KEPT = 2**28  # bytes of segments that are kept after their map
ANSWER = 0.2  # standard deviation of a filter's first answers, so that their maxima do not saturate the tanh behind


def whitening(X, rows=None, *, share=SHARES["none"]):
    """Return the linear map that takes the common swings out of features.

    More than half of the variance of log spectra is one component, the level of the segment. Left in, it drives every
    hidden unit at random before training has begun. After zero-phase whitening (Bell & Sejnowski, 1997) of the
    standardised features it is one direction among many. Directions of little variance are not blown up: that would
    name a little more within a session, much less in another (tools/choose_features.py).

    Parameters
    ----------
    X : np.ndarray [shape=(n, n_features)]
        Features of segments, in memory or on disk.
    rows : np.ndarray of int, optional
        Those of the training segments, which are read block by block; none = all.
    share : float > 0
        Components with much more than this share of all variance come down to one size; those far below keep their
        proportion.

    Returns
    -------
    mean : np.ndarray [shape=(n_features,)], float32
    matrix : np.ndarray [shape=(n_features, n_features)], float32
        ``(x - mean) @ matrix`` has unit variance on average.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((100, 5)) + np.arange(100)[:, None]  # they swing together
    >>> mean, matrix = whitening(x)
    >>> round(float(((x - mean) @ matrix).var(axis=0).mean()), 3)
    1.0
    """
    n, d = len(X) if rows is None else len(rows), X.shape[1]
    if n < d:  # then the Gram matrix is the smaller one, with the same variances
        x = X if rows is None else taken(X, rows)
        mean, deviation = x.mean(axis=0), divisible(x.std(axis=0))
        z, root = (x - mean) / deviation, (share * d) ** 0.5
        components, scale, gain = shrunk(z @ z.T / n, share * d, d)
        matrix = -(z.T @ (components / (n * root * scale * (root + scale)))) @ (components.T @ z)
        matrix[np.diag_indices_from(matrix)] += 1 / root
    else:
        mean, covariance = moments(X, np.arange(n) if rows is None else rows)
        deviation = divisible(np.sqrt(np.diag(covariance)))
        correlation = (covariance / np.outer(deviation, deviation)).astype(np.float32)
        components, scale, gain = shrunk(correlation, share * d, d)
        matrix = (components / scale) @ components.T
    return mean.astype(np.float32), (gain * matrix / deviation[:, np.newaxis]).astype(np.float32)


def divisible(deviation):
    """Return standard deviations that can be divided by, though a feature never changes."""
    return np.maximum(deviation, 0.01 * np.median(deviation) + 1e-6)


def shrunk(covariance, floor, n_features):
    """Return components of a covariance matrix (overwritten), what divides each, and what multiplies all at last."""
    variances, components = scipy.linalg.eigh(covariance, driver="evd", overwrite_a=True, check_finite=False)
    variances = np.maximum(variances, 0)
    scale = np.sqrt(variances + floor)
    left = np.sum(variances / scale**2)
    return components, scale, np.sqrt(n_features / left) if left > 0 else 1  # 0 where all features are constant


def moments(X, rows):
    """Return the mean and the covariance of rows of X, in one pass, float64.

    >>> x = np.random.default_rng(0).normal(5, 1, (40000, 2))
    >>> mean, covariance = moments(x, np.arange(40000))
    >>> np.allclose(mean, x.mean(axis=0)), np.allclose(covariance, np.cov(x.T, bias=True))
    (True, True)
    """
    total, products, near = 0.0, 0.0, None
    for part in parts(rows):
        x = taken(X, part)
        near = x.mean(axis=0) if near is None else near  # sums of squares far from the mean would lose digits
        x -= near
        total, products = total + x.sum(axis=0, dtype=np.float64), products + (x.T @ x).astype(np.float64)
    offset = total / len(rows)
    return near + offset, products / len(rows) - np.outer(offset, offset)


def known_whitening(X, rows, share):
    """Return `whitening`, and X after it, not computed again for segments in memory that came a moment ago."""
    if rows is not None:
        return *whitening(X, rows, share=share), None
    x = np.ascontiguousarray(X)
    key = blake2b(x, digest_size=16).digest(), x.shape, share
    if key not in KNOWN:
        for old in list(KNOWN)[:-3]:
            del KNOWN[old]
        mean, matrix = whitening(x, share=share)
        KNOWN[key] = mean, matrix, (x - mean) @ matrix if x.nbytes <= KEPT else None
    return KNOWN[key]


def input_maps(model, family, X, rows=None, *, share):
    """Return what the default recipe does to the inputs: (first layer, mean, matrix or factor, after it) of every part.

    All of ``X`` is meant, or ``rows`` of it, which are read block by block and not returned.
    """
    if family == "averaged":
        halves = range(X.shape[1])
        return [(model.get_layer(f"part{i + 1}_hidden1"), *known_whitening(X[:, i], rows, share)) for i in halves]
    if family == "cnn":
        filters = model.get_layer("filters")
        answer = np.linalg.norm(filters.get_weights()[0], axis=0).mean()  # of a filter to white noise of variance one
        x = X if rows is None else taken(X, rows[:: 1 + len(rows) // BLOCK])  # two numbers: some of very many tell them
        return [(filters, x.mean(), ANSWER / (x.std() * answer), None)]
    return [(next(layer for layer in model.layers if layer.weights), *known_whitening(X, rows, share))]


def mapped(x, maps, *, own=False):
    """Return inputs after their maps, as they are where there are none; of ``own`` inputs the maps were made.

    ``x`` is overwritten, since it may be large.
    """
    if not maps:
        return x
    if x.ndim == 3:
        return np.stack([mapped(x[:, i], [part], own=own) for i, part in enumerate(maps)], axis=1)
    _, mean, matrix, after = maps[0]
    if own and after is not None:
        return after
    x -= mean
    return x * matrix if np.ndim(matrix) == 0 else x @ matrix


def fold(maps):
    """Fold the maps into the first layers, so that the model takes inputs as they are."""
    for layer, mean, matrix, _ in maps:
        kernel, bias = layer.get_weights()
        kernel = kernel * matrix if np.ndim(matrix) == 0 else matrix @ kernel
        shift = mean * kernel.sum(axis=(0, 1)) if np.ndim(mean) == 0 else mean.astype(np.float64) @ kernel
        layer.set_weights([kernel.astype(np.float32), (bias - shift).astype(np.float32)])
