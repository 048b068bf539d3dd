"""The published convolution made fast: correlation by FFT, and a gradient only where an answer was the largest.

Of 100 answers of a filter one goes on, so 99 have no part in the gradient. Keras multiplies by their zeros all the
same; here every filter gets the sum of the stretches of samples that it answered most to, each times its error. And the
answers to one segment are forgotten before those to the next are worked out: Keras holds those of a batch, twice.
"""

import functools

import numpy as np
import scipy.fft

from . import noise
from .models import import_keras


def largest_answers(x, filters, *, pool):
    """Return the largest of every ``pool`` neighbouring answers of filters, and the first sample of what it answered.

    Both are np.ndarray [shape=(n, (n_samples - n_taps + 1) // pool, n_filters)], float32 and int32, of segments ``x``
    [shape=(n, n_samples)] and ``filters`` [shape=(n_filters, n_taps)], float32; answers that are left at the end are
    dropped. The same as Keras's ``Conv1D`` without bias and ``MaxPooling1D`` to rounding (notebook 05).

    >>> x = np.array([[0, 1, 3, 1, 0, 0, 2, 0]], np.float32)
    >>> largest, places = largest_answers(x, np.array([[1, 2]], np.float32), pool=3)
    >>> largest.round(3).ravel(), places.ravel()  # answers 2, 7, 5, then 1, 0, 4
    (array([7., 4.], dtype=float32), array([1, 5], dtype=int32))
    """
    size, n_pools = scipy.fft.next_fast_len(x.shape[1], real=True), (x.shape[1] - filters.shape[1] + 1) // pool
    spectra, left = np.conj(scipy.fft.rfft(filters, size)), pool * np.arange(n_pools, dtype=np.int32)
    largest = np.empty((len(x), n_pools, len(filters)), np.float32)
    places = np.empty(largest.shape, np.int32)

    def work(i):
        answers = scipy.fft.irfft(spectra * scipy.fft.rfft(x[i], size), size, overwrite_x=True)
        at = left + answers[:, : n_pools * pool].reshape(-1, n_pools, pool).argmax(axis=2)
        places[i], largest[i] = at.T, np.take_along_axis(answers, at, axis=1).T

    noise.in_threads(work, range(len(x)))
    return largest, places


def filter_gradient(x, places, errors, *, taps):
    """Return the gradient for the filters [shape=(n_filters, taps)], from that for their largest answers.

    ``x`` are segments [shape=(n, n_samples)], ``places`` those of `largest_answers` [shape=(n, n_pools, n_filters)],
    ``errors`` [same shape] the derivative of the cost for every largest answer.

    >>> x = np.array([[0, 1, 3, 1, 0, 0, 2, 0]], np.float32)
    >>> filter_gradient(x, np.array([[[1], [5]]], np.int32), np.array([[[1], [10]]], np.float32), taps=2)
    array([[ 1., 23.]], dtype=float32)
    """
    from . import kernels

    sums = np.zeros((noise.THREADS, places.shape[2], taps), np.float32)

    def work(t):
        kernels.stretches(*(array[t :: len(sums)] for array in (x, places, errors)), sums[t])

    noise.in_threads(work, range(len(sums)))
    return sums.sum(axis=0)


def quick(model):
    """Return a model of the same variables that computes the convolution of `models.cnn` as above; others as they are.

    Whatever the returned model learns, the given one has learned too. On a graphics processor Keras's own layers stay:
    there they are the faster ones.

    >>> from devid_lib import models
    >>> model = models.cnn(400, 3, filters=5, kernel=20, pool=40, hidden=(4,))
    >>> x = np.random.default_rng(0).standard_normal((2, 400))
    >>> bool(np.allclose(quick(model).predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5))
    True
    """
    keras, layers = import_keras(), {layer.name: layer for layer in model.layers}
    if "pool" not in layers or keras.distribution.list_devices("gpu"):
        return model
    behind = keras.Model(layers["pool"].output, model.output)
    x = layer_class()(layers["filters"], layers["pool"].pool_size[0], name="filters")(model.input)
    return keras.Model(model.input, behind(x), name=model.name)


@functools.cache
def layer_class():
    """Return the Keras layer (TensorFlow's, on a CPU) that stands for a convolution and its pooling."""
    import tensorflow as tf

    class LargestAnswers(import_keras().layers.Layer):
        def __init__(self, convolution, pool, **options):
            super().__init__(**options)
            self.convolution, self.pool = convolution, pool  # its weights are the convolution's own

        def compute_output_shape(self, shape):
            kernel = self.convolution.kernel.shape
            return (shape[0], (shape[1] - kernel[0] + 1) // self.pool, kernel[2])

        def call(self, x):
            pool, shape = self.pool, self.compute_output_shape(x.shape)

            @tf.custom_gradient
            def largest(x, kernel):
                filters = tf.transpose(kernel[:, 0])
                found, places = tf.numpy_function(
                    lambda x, w: largest_answers(x, w, pool=pool), [x, filters], [tf.float32, tf.int32], stateful=False
                )

                def gradient(errors):
                    total = tf.numpy_function(
                        lambda *arrays: filter_gradient(*arrays, taps=kernel.shape[0]),
                        [x, places, errors], tf.float32, stateful=False,
                    )  # fmt: skip
                    return None, tf.ensure_shape(tf.transpose(total), kernel.shape[::2])[:, None]

                return tf.ensure_shape(found, shape), gradient

            return largest(x, tf.convert_to_tensor(self.convolution.kernel)) + self.convolution.bias

    return LargestAnswers
