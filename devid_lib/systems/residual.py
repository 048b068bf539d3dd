"""[9], [11], [12]: the noise that speech enhancement takes out of a recording (notebook 10c)."""

import warnings
from dataclasses import dataclass

import librosa
import numpy as np
import scipy.fft
from scipy.cluster.vq import kmeans2
from scipy.ndimage import uniform_filter1d
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..errors import check_name
from .base import System
from .frames import cepstrum, frame_sizes, triangular_filters
from .spectra import (
    N_FFT,
    POWER_FLOOR,
    VectorSystem,
    evenly,
    feature_matrix,
    framed,
    log_power,
    one_second_pieces,
    pairwise_machine,
    power,
    spectra_in_chunks,
)

QUIET_SHARE = 0.1  # of the frames, those of least energy, from which the noise is estimated
SPECTRAL_FLOOR = 0.002  # of spectral subtraction: least gain, of multi-band subtraction least share of the power
N_BANDS = 4  # of multi-band spectral subtraction, of equal width
PITCH_HZ = (70.0, 400.0)
HARMONICS_HZ = 4000.0  # above, no harmonics are looked for
DESCRIPTORS = ("centroid", "spread", "skewness", "kurtosis", "flatness", "entropy", "rolloff", "brightness",
               "irregularity", "flux")  # fmt: skip
TEXTURE = (*DESCRIPTORS, *(f"MFCC {i}" for i in range(1, 14)))
TEXTURE_NAMES = tuple(f"{kind} {name}" for kind in ("mean", "sd") for name in TEXTURE)  # columns of wiener_descriptors
WIENER = 15  # samples of the Wiener filter
MAX_FRAMES = 5000  # of a recording that are clustered


# --- Noise -----------------------------------------------------------------------------------------------------------
def noise_power(frames, *, window="hann", n_fft=None):
    """Return the power spectrum of the background noise of a recording [shape=(n_bins,)], float32.

    It is the mean over the quietest tenth of its frames [shape=(n_frames, length)], at least one, and at least -120 dB
    of full scale. ``window`` and ``n_fft`` are those of `spectra.spectra_in_chunks`.
    """
    energy = np.einsum("ij,ij->i", frames, frames)
    quiet = np.sort(np.argsort(energy, kind="stable")[: max(1, round(QUIET_SHARE * len(frames)))])
    chunks = spectra_in_chunks(frames[quiet], window=window, n_fft=n_fft)
    noise = sum(power(chunk).sum(axis=0, dtype=np.float64) for chunk in chunks) / len(quiet)
    return np.maximum(noise, POWER_FLOOR).astype(np.float32)


def subtraction_gain(x, noise, *, over):
    """Return the gain on magnitudes of spectral subtraction, max(1 - over sqrt(noise / x), 0.002), after Boll (1979).

    ``x`` is the power of the recording [shape=(n_frames, n_bins)], ``noise`` that of the noise [shape=(n_bins,)], above
    0, ``over`` the factor of over-subtraction. One minus the gain is that of the residual.
    """
    return np.maximum(1 - over * np.sqrt(noise / np.maximum(x, noise * over**2)), SPECTRAL_FLOOR)


def multiband_gain(x, noise, samplerate):
    """Return the gain on magnitudes of multi-band spectral subtraction; arguments and shape as in `subtraction_gain`.

    After Kamath & Loizou (2002), constants from memory: in every band and frame the over-subtraction falls from 4.75
    below -5 dB of signal-to-noise ratio to 1 above 20 dB; it is multiplied by 1 below 1 kHz, by 2.5 up to 2 kHz short
    of half the sample rate, and by 1.5 above; what would be negative becomes 0.002 of the recording's power. Their last
    step, putting back 0.05 of the recording's power to mask musical noise, is left out: with it the gain passes through
    one, and the residual of such a bin vanishes.
    """
    frequency = np.linspace(0, samplerate / 2, x.shape[1])
    weight = np.select([frequency <= 1000, frequency <= samplerate / 2 - 2000], [1.0, 2.5], 1.5)
    gain = np.empty_like(x)
    for bins in np.array_split(np.arange(x.shape[1]), N_BANDS):
        snr = 10 * np.log10(np.maximum(x[:, bins].sum(axis=1), POWER_FLOOR) / noise[bins].sum())
        over = np.where(snr < -5, 4.75, 4 - 0.15 * np.clip(snr, -5, 20))
        left = 1 - over[:, None] * (weight[bins] * noise[bins]) / np.maximum(x[:, bins], POWER_FLOOR)
        gain[:, bins] = np.sqrt(np.maximum(left, SPECTRAL_FLOOR))
    return gain


# --- [9] -------------------------------------------------------------------------------------------------------------
def pitch(x, samplerate, *, n_fft):
    """Return the fundamental frequencies of power spectra [shape=(n_frames, n_fft // 2 + 1)], 70 to 400 Hz.

    And how periodic the frames are: their highest normalised autocorrelation in that range, 0 (silence, noise) to 1.
    """
    correlation = scipy.fft.irfft(x, n_fft, axis=1)
    taper = scipy.fft.irfft(power(scipy.fft.rfft(np.hanning(n_fft), 2 * n_fft)))[: n_fft // 2]
    first, last = max(2, int(samplerate / PITCH_HZ[1])), min(n_fft // 2 - 1, int(samplerate / PITCH_HZ[0]))
    lags = np.arange(first, last + 1)
    normalised = correlation[:, lags] / np.maximum(correlation[:, :1], POWER_FLOOR) / (taper[lags] / taper[0])
    best = normalised.argmax(axis=1)
    return samplerate / lags[best], np.take_along_axis(normalised, best[:, None], axis=1)[:, 0]


def on_harmonics(f0, samplerate, *, n_fft):
    """Return which bins lie within the main lobe of a harmonic of ``f0``, [shape=(n_frames, n_fft // 2 + 1)], bool."""
    frequency, width = np.fft.rfftfreq(n_fft, 1 / samplerate), 1.5 * samplerate / n_fft
    low = frequency[frequency <= HARMONICS_HZ]
    near = np.zeros((len(f0), len(frequency)), bool)
    order = np.maximum(np.round(low / f0[:, None]), 1)
    near[:, : len(low)] = np.abs(low - order * f0[:, None]) <= width
    return near


def residual_spectrum(y, samplerate, *, n_fft=N_FFT, over=2.0, periodicity=0.5):
    """Return the mean spectrum of the noise that spectral subtraction removes, without the speech that leaked into it.

    That is the natural logarithm of the residual's power, averaged over frames of ``n_fft`` samples, Hann window, hop a
    half [shape=(n_fft // 2 + 1,)], float32. ``over`` is the factor of over-subtraction. Frames more periodic than
    ``periodicity`` are voiced: the bins around their harmonics are left out.
    """
    frames = framed(y, length=n_fft, hop=n_fft // 2)
    noise = noise_power(frames)
    total, count, everything = np.zeros(len(noise)), np.zeros(len(noise)), np.zeros(len(noise))
    for chunk in spectra_in_chunks(frames):
        x = power(chunk)
        residual = log_power(x * (1 - subtraction_gain(x, noise, over=over)) ** 2)
        f0, strength = pitch(x, samplerate, n_fft=n_fft)
        keep = ~(on_harmonics(f0, samplerate, n_fft=n_fft) & (strength > periodicity)[:, None])
        total += (residual * keep).sum(axis=0)
        count += keep.sum(axis=0)
        everything += residual.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), everything / len(frames)).astype(np.float32)


def correlations(x, templates):
    """Return the correlation coefficients of vectors with templates [shape=(n, n_templates)]; of a constant, 0."""
    def unit(v):
        v = v - v.mean(axis=1, keepdims=True)
        length = np.linalg.norm(v, axis=1, keepdims=True)
        return v / np.where(length > 1e-6, length, np.inf)

    return unit(np.asarray(x, np.float64)) @ unit(np.asarray(templates, np.float64)).T


class LeakageResidual(System):
    """[9] Spectral subtraction residual without leaked speech, correlated with the noise spectrum of each device.

    S. Ikram, H. Malik, "Digital audio forensics using background noise", ICME 2010, 106-110,
    doi:10.1109/ICME.2010.5582981.

    As published: a front end. Speech is enhanced by spectral subtraction; speech leaks into the residual, and harmonic
    analysis removes it from there; what is left is the background noise. No device accuracy is given.

    Adapted: from a description of the method, not from its text, so that all parameters are ours. The noise
    spectrum that is subtracted is the mean over the quietest tenth of the frames. A frame is voiced where the
    normalised autocorrelation exceeds 0.5; the bins around its harmonics up to 4 kHz are left out of the
    average. The classifier is ours too: the correlation coefficient of logarithmic noise spectra, a device's
    being the mean over its training recordings.
    """

    def _fit(self, excerpts, codes):
        x = feature_matrix(excerpts, residual_spectrum)
        self.templates_ = np.stack([x[codes == k].mean(axis=0) for k in range(len(self.classes_))])

    def _scores(self, excerpts):
        return correlations(feature_matrix(excerpts, residual_spectrum), self.templates_)


# --- [11] ------------------------------------------------------------------------------------------------------------
def wiener_noise(y):
    """Return what the adaptive Wiener filter takes out of a signal [shape=(n,)], float64.

    The filter of Lim (1990), mean + (variance - noise) / variance (y - mean), takes local mean and variance over
    `WIENER` samples, and for the power of the noise the average of the variances. The result is that of
    ``y - scipy.signal.wiener(y, 15)``, four times as fast, and zero for a signal of zeros.
    """
    y = np.asarray(y, np.float64)
    mean = uniform_filter1d(y, WIENER, mode="constant")
    variance = uniform_filter1d(y**2, WIENER, mode="constant") - mean**2
    noise = variance.mean()
    # below the noise, the filter's output is the local mean; the offset keeps silence from being 0 / 0
    return (y - mean) * noise / (np.maximum(variance, noise) + 1e-30)


def spectral_descriptors(magnitudes, samplerate):
    """Return numbers that describe the shape of consecutive magnitude spectra [shape=(n_frames, n_bins)].

    They are [shape=(n_frames, 10)], float64, in the order of `DESCRIPTORS`: centroid, spread and 85 % roll-off [Hz];
    skewness; kurtosis; logarithm of the flatness; entropy, 1 for a flat spectrum; brightness, the share above 1500 Hz;
    irregularity (Jensen 1999); flux. None depends on the level. A frame of zeros has the descriptors of a flat one.
    """
    a = np.asarray(magnitudes, np.float64) + 1e-9
    log_a, total = np.log(a), a.sum(axis=1, keepdims=True)
    share = a / total
    x = np.linspace(0, 1, a.shape[1])  # frequency, in units of half the sample rate
    m1, m2, m3, m4 = (share @ np.stack([x, x**2, x**3, x**4], axis=1)).T
    variance = np.maximum(m2 - m1**2, 1e-12)
    rolloff = np.minimum((np.cumsum(share, axis=1) < 0.85).sum(axis=1), len(x) - 1)
    return np.stack([
        m1 * samplerate / 2,
        np.sqrt(variance) * samplerate / 2,
        (m3 - 3 * m1 * m2 + 2 * m1**3) / variance**1.5,
        (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2,
        log_a.mean(axis=1) - np.log(total[:, 0] / len(x)),
        (np.log(total[:, 0]) - np.einsum("ij,ij->i", share, log_a)) / np.log(len(x)),
        x[rolloff] * samplerate / 2,
        share[:, x * samplerate / 2 > 1500].sum(axis=1),
        (np.diff(a, axis=1) ** 2).sum(axis=1) / np.einsum("ij,ij->i", a, a),
        np.linalg.norm(np.diff(share, axis=0, prepend=share[:1]), axis=1),
    ], axis=1)  # fmt: skip


def wiener_descriptors(y, samplerate):
    """Return what describes Wiener-filter noise in texture windows of 1 s [shape=(n_pieces, 46)], float32.

    Columns are `TEXTURE_NAMES`: means of `spectral_descriptors` and of 13 mel frequency cepstral coefficients, and then
    their standard deviations. The windows are `spectra.one_second_pieces`; frames have 1024 samples, Hann window, hop a
    half.
    """
    filters = triangular_filters(samplerate, n_fft=1024, n_filters=40).T
    rows = []
    for piece in one_second_pieces(y if len(y) else np.zeros(1, np.float32), samplerate):
        frames = framed(wiener_noise(piece), length=1024, hop=512)
        x = np.concatenate([power(chunk) for chunk in spectra_in_chunks(frames)])
        cepstra = cepstrum(log_power(x @ filters), n_coefficients=13)
        row = np.hstack([spectral_descriptors(np.sqrt(x), samplerate), cepstra])
        rows.append(np.concatenate([row.mean(axis=0), row.std(axis=0)]))
    return np.array(rows, np.float32)


@dataclass(eq=False, repr=False, kw_only=True)
class WienerDescriptors(VectorSystem):
    """[11] Spectral descriptors of Wiener-filter noise, feature reduction, support vector machine.

    C.-B. Moon, H. Kim, B. M. Kim, "Audio recorder identification using reduced noise features", Ubiquitous
    Information Technologies and Applications, Springer 2014, 35-42.

    As published: a Wiener filter extracts the recorder's noise, MIRtoolbox describes it, a new method reduces the
    features, a support vector machine decides.

    Adapted: from recollection of the abstract. The filter is the adaptive one in the time domain, the descriptors are
    the ten of `spectral_descriptors` and 13 cepstral coefficients over texture windows of 1 s, the reduction
    keeps those with the largest ratio of variance between to variance within the devices (F statistic), on the
    training recordings. A Wiener filter in the frequency domain, its noise estimated from the quietest tenth of the
    frames, was tried and dropped: what it takes out of a loud frame is noise divided by speech.
    """

    n_features: int = 30  # kept, of 46
    C: float = 10.0  # cost of an error; Gaussian kernel on standardised features

    def vectors(self, excerpts):
        return [excerpt.feature(wiener_descriptors) for excerpt in excerpts]

    def _classifier(self):
        most = SelectKBest(distinctiveness, k=min(self.n_features, len(TEXTURE_NAMES)))
        return make_pipeline(most, StandardScaler(), pairwise_machine(kernel="rbf", C=self.C))


def distinctiveness(x, codes):
    """Return the share of each column's variance that lies between the classes: 0 for a constant column, at most 1.

    Columns are in the order of their F statistics.
    """
    means = np.stack([x[codes == k].mean(axis=0) for k in np.unique(codes)])
    counts = np.unique(codes, return_counts=True)[1]
    between = (counts[:, None] * (means - x.mean(axis=0)) ** 2).sum(axis=0)
    total = ((x - x.mean(axis=0)) ** 2).sum(axis=0)
    return between / np.maximum(total, 1e-30)


# --- [12] ------------------------------------------------------------------------------------------------------------
def noise_mfcc(y, samplerate, *, source="noise"):
    """Return 12 mel frequency cepstral coefficients, of 26 filters, and their slopes [shape=(n_frames, 24)], float32.

    They are those of a recording ``y`` [shape=(n,)], if ``source`` is "raw", or of its "noise", the recording minus
    what multi-band spectral subtraction makes of it: this is taken from the spectra, the phase being the recording's,
    without going through the waveform. Frames have 25 ms, Hamming window, and are 10 ms apart; slopes are those of a
    regression over five of them, end frames repeated.
    """
    check_name("source", source, ("noise", "raw"))
    length, hop, n_fft = frame_sizes(samplerate, frame_s=0.025, hop_s=0.01)
    frames = framed(y, length=length, hop=hop)
    filters = triangular_filters(samplerate, n_fft=n_fft, n_filters=26).T.astype(np.float32)
    noise = noise_power(frames, window="hamming", n_fft=n_fft)
    energies = []
    for chunk in spectra_in_chunks(frames, window="hamming", n_fft=n_fft):
        x = power(chunk)
        if source == "noise":
            x *= 1 - multiband_gain(x, noise, samplerate) ** 2
        energies.append(x @ filters)
    x = cepstrum(log_power(np.concatenate(energies)), n_coefficients=12)
    return np.hstack([x, librosa.feature.delta(x, width=5, axis=0, mode="nearest")])


def noise_centroids(y, samplerate, *, source="noise", n_clusters=32, frames_each=10):
    """Return the k-means centroids of `noise_mfcc` [shape=(<=n_clusters, 24)], float32.

    There is one for every ``frames_each`` frames, at least one. They start from frames at regular distances.
    """
    frames = evenly(noise_mfcc(y, samplerate, source=source), MAX_FRAMES)
    n = min(n_clusters, max(1, len(frames) // frames_each))
    with warnings.catch_warnings():  # frames may be alike, as in silence: a cluster without any stays where it was
        warnings.filterwarnings("ignore", message="One of the clusters is empty")
        return kmeans2(frames, evenly(frames, n), iter=15 if n > 1 else 1, minit="matrix")[0]


@dataclass(eq=False, repr=False, kw_only=True)
class NoiseCentroids(VectorSystem):
    """[12] Mel cepstra of the noise that multi-band spectral subtraction removes, k-means, support vector machine.

    R. Aggarwal, S. Singh, A. K. Roul, N. Khanna, "Cellphone identification using noise estimates from recorded audio",
    ICCSP 2014, 1218-1222.

    As published: noise = recording - enhanced recording, by multi-band spectral subtraction; 12 mel frequency cepstral
    coefficients and 12 deltas in Hamming windows of 25 ms that overlap by 15 ms; k-means in each recording, k from 8 to
    128, whose centroids are the instances; support vector machine by sequential minimal optimisation. With the
    raw recording 50.8 % of 26 phones, with the noise 74.5 %.

    Adapted: the publication's own settings of the subtraction are not known; it follows Kamath & Loizou (2002), from
    memory, see `multiband_gain`, with the noise estimated from the quietest tenth of the frames. The noise is taken
    from the spectra and not from a waveform put together again. The decisions on the centroids of an excerpt are
    averaged, where the publication seems to count each on its own.
    """

    source: str = "noise"  # or "raw"
    n_clusters: int = 32  # centroids of a recording, at most
    frames_each: int = 10  # least number of frames for each
    C: float = 1.0  # cost of an error; linear kernel on standardised features, as in Weka

    def vectors(self, excerpts):
        options = {name: getattr(self, name) for name in ("source", "n_clusters", "frames_each")}
        return [excerpt.feature(noise_centroids, **options) for excerpt in excerpts]

    def _classifier(self):
        return make_pipeline(StandardScaler(), pairwise_machine(kernel="linear", C=self.C))
