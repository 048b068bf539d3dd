"""t-SNE of a classifier's space, figure 7 of the paper (notebook 09)."""

import numpy as np

from .errors import ParameterError


def sample_rows(dataset, *, n=2000, seed=0):
    """Choose test segments, the same number of every device.

    Parameters
    ----------
    dataset : Dataset
    n : int
        Largest number of segments in all, at least one per device.
    seed : int
        Seed of the choice.

    Returns
    -------
    rows : np.ndarray [shape=(at most n,)], int
        Row numbers of the first test set, in order of devices.
    """
    table, rng = dataset.segments[dataset.mask("test", draw=0)], np.random.default_rng(seed)
    each = max(1, n // len(dataset.devices))
    groups = [rng.permutation(rows)[:each] for _, rows in sorted(table.groupby("device").groups.items())]
    return np.concatenate([np.sort(group) for group in groups])


def tsne(x, *, perplexity, seed=0):
    """Place points on a plane so that neighbours stay neighbours.

    Parameters
    ----------
    x : np.ndarray [shape=(n, n_dimensions)]
        Above 50 dimensions it is first reduced to 50 principal components, as van der Maaten & Hinton (2008) advise.
    perplexity : float > 0
        About the number of neighbours that each point looks at; smaller than n.
    seed : int
        Seed of the optimisation; the start is the first two principal components.

    Returns
    -------
    points : np.ndarray [shape=(n, 2)], float32

    Raises
    ------
    ParameterError
        If ``perplexity`` is not between 0 and n.

    Notes
    -----
    Notebook 09, figure 7. scikit-learn's Barnes-Hut implementation.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if not 0 < perplexity < len(x):
        raise ParameterError(f"perplexity={perplexity!r} is not between 0 and the number of points, {len(x)}")
    if x.shape[1] > 50:
        x = PCA(min(50, len(x)), random_state=seed).fit_transform(x)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=-1).fit_transform(x)


def perplexities(n):
    """Return three perplexities that suit ``n`` points: 5, 30 and 100, or smaller ones where points are few."""
    return sorted({min(p, max(2, n // 4)) for p in (5, 30, 100)})


def neighbour_purity(x, labels):
    """Return how often the nearest other point has the same label, a fraction (1-NN, leaving the point itself out)."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(x).kneighbors(return_distance=False)[:, 0]
    return float(np.mean(np.asarray(labels)[nearest] == np.asarray(labels)))
