"""Rows of an array on disk that memory should not hold, block by block, in an order that a seed gives (notebook 90)."""

import mmap
import os
import tempfile

import numpy as np

from .models import import_keras

IN_MEMORY = 2**29  # bytes of rows that are fitted from memory, where up to four copies of them lie; more are streamed
BLOCK = 2**14  # rows of a pass
POOL = 2**13  # rows in memory that batches are drawn from
RUN = 32  # neighbours that come into a pool together, for a disk is slow with single rows


def held(X, n):
    """Return whether n rows are few enough to be held in memory.

    >>> held(np.zeros((1, 2049), np.float32), 18000), held(np.zeros((1, 2049), np.float32), 10**6)
    (True, False)
    """
    return X[:1].nbytes * n <= IN_MEMORY


def parts(rows, size=BLOCK):
    """Yield row numbers in parts of a size.

    >>> [part.tolist() for part in parts(np.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    for left in range(0, len(rows), size):
        yield rows[left : left + size]


def taken(X, rows):
    """Return a copy of rows. What a file's map had read is let go, or it would count as memory of this process."""
    block, base = X[rows], X
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # Windows trims by itself
        base.madvise(mmap.MADV_DONTNEED)
    return block


def shuffled(rows, rng, *, pool):
    """Return rows in another order: runs of neighbours are drawn, and ``pool`` rows at a time are mixed.

    >>> order = shuffled(np.arange(1000), np.random.default_rng(0), pool=500)
    >>> sorted(order) == list(range(1000)), bool(np.corrcoef(order, np.arange(1000))[0, 1] < 0.3)
    (True, True)
    """
    runs = list(parts(rows, RUN))
    order = np.concatenate([runs[i] for i in rng.permutation(len(runs))])
    for part in parts(order, pool):
        rng.shuffle(part)
    return order


def batches(X, y, rows, change, *, batch_size, seed=None):
    """Return rows of X and y in batches, a `keras.utils.PyDataset` for `keras.Model.fit`.

    ``change`` is what is done to rows of X before they are used; a seed gives a new order before every epoch, see
    `shuffled`, without it rows stay as they come.
    """
    pool = max(1, POOL // batch_size) * batch_size

    class Batches(import_keras().utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.rng = None if seed is None else np.random.default_rng(seed)
            self.on_epoch_end()

        def __len__(self):
            return -(-len(rows) // batch_size)

        def __getitem__(self, i):
            left = i * batch_size // pool * pool
            if left != self.left:
                wanted = self.order[left : left + pool]
                ordered, back = np.unique(wanted, return_inverse=True)  # a file is read forwards
                self.left, self.x, self.y = left, change(taken(X, ordered))[back], y[wanted]
            own = slice(i * batch_size - left, (i + 1) * batch_size - left)
            return self.x[own], self.y[own]

        def on_epoch_end(self):
            self.order, self.left = rows if self.rng is None else shuffled(rows, self.rng, pool=pool), None

    return Batches()


def scratch(shape):
    """Return zeros, float32; what memory should not hold lies in a temporary file that goes when the array does."""
    size = 4 * int(np.prod(shape))
    if size <= IN_MEMORY:
        return np.zeros(shape, np.float32)
    with tempfile.TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, and a crash later
        return np.memmap(file, np.float32, "w+", shape=shape)
