"""The leakage probe: how far six trivial numbers name a device, which tell how it was set and stored (notebook 01)."""

import numpy as np
import pandas as pd

from .audio import level_db, load_recording
from .errors import check_count, check_finite, check_positive, check_signal
from .evaluation import predictions_table
from .progress import progress

TRIVIAL_NUMBERS = ["rms_db", "floor_p5_db", "floor_p10_db", "floor_p50_db", "zero_share", "dc_offset"]
FRAME_S = 0.02  # of a level [s]
EXCERPT_S = 0.5  # shortest excerpt [s]


def trivial_features(y, *, samplerate=44100, excerpts=10):
    """Return six trivial numbers of a recording, which tell nothing of the device but how it was set and stored.

    Recordings that are empty, not finite or not one channel, and parameters not above 0, raise ParameterError.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)], real
        Recording, full scale = 1. Of a memory-mapped one, one excerpt is read at a time.
    samplerate : number > 0
        Rate of ``y`` [Hz]. It makes the frames 20 ms and an excerpt at least 0.5 s long.
    excerpts : int >= 1
        Consecutive excerpts of equal length; fewer where the recording is shorter than 0.5 s for each.

    Returns
    -------
    table : pandas.DataFrame
        One row per excerpt, float64: rms_db, the level; floor_p5_db, floor_p10_db, floor_p50_db, percentiles of the
        frames' levels; all in dB of full scale (a full-scale square wave is 0), not below -120, offset included.
        zero_share, the share of samples that are exactly 0; dc_offset, the mean. Excerpts are whole frames, so up to
        ``excerpts`` frames at the end of the recording are not looked at.

    Examples
    --------
    >>> trivial_features(np.full(44100, 0.1))[["rms_db", "dc_offset"]].round(3).iloc[0].to_dict()
    {'rms_db': -20.0, 'dc_offset': 0.1}
    """
    y = check_signal(y, single=True)
    check_positive("samplerate", samplerate)
    check_count("excerpts", excerpts)
    frame = min(max(1, round(FRAME_S * samplerate)), len(y))
    n = min(excerpts, max(1, len(y) // max(frame, round(EXCERPT_S * samplerate))))
    length = len(y) // n // frame * frame
    excerpts = y[: n * length].reshape(n, -1, frame)
    return pd.DataFrame(map(_trivial_numbers, excerpts), columns=TRIVIAL_NUMBERS)


def _trivial_numbers(frames):
    """Return the six numbers of one excerpt, cut into frames [shape=(n_frames, frame)]; names as `TRIVIAL_NUMBERS`."""
    power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / frames.shape[1]  # no copy of the samples
    p5, p10, p50 = np.percentile(level_db(check_finite(power)), [5, 10, 50])
    zero_share = 1 - np.count_nonzero(frames) / frames.size
    return level_db(power.mean()), p5, p10, p50, zero_share, frames.mean(dtype=np.float64)


def probe_table(corpus):
    """Return the `trivial_features` of every recording of a corpus, and its device, recording and split beside them.

    >>> import soundfile, tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     soundfile.write(file.name, np.random.default_rng(0).normal(0, 0.1, 8000), 8000)
    ...     row = {"path": file.name, "samplerate": 8000, "device": "a", "recording": "1", "split": "test"}
    ...     probe_table(pd.DataFrame([row]))[["rms_db", "zero_share", "device"]].round(1)
       rms_db  zero_share device
    0   -20.0         0.0      a
    1   -19.9         0.0      a
    """
    parts = []
    for row in progress(list(corpus.itertuples()), label="leakage probe, recordings"):
        y, _ = load_recording(row.path, samplerate=row.samplerate)
        names = {"device": row.device, "recording": row.recording, "split": row.split}
        parts.append(trivial_features(y, samplerate=row.samplerate).assign(**names))
    return pd.concat(parts, ignore_index=True)


def leakage_probe(probe, *, seed=0):
    """Identify devices from six trivial numbers: what level, noise floor, digital zeros and DC offset alone give away.

    A random forest of 200 trees. An accuracy worth printing is one that stands well above this one. ``probe`` comes
    from `probe_table`; the predictions have one row per test excerpt, to vote over with ``unit="recording"``.

    >>> probe = pd.DataFrame({"device": [*"ABAB"], "recording": [*"1122"], "split": ["train"] * 2 + ["test"] * 2})
    >>> probe[TRIVIAL_NUMBERS] = [[-30] * 6, [-50] * 6, [-31] * 6, [-49] * 6]
    >>> leakage_probe(probe)[["A", "B"]].round().to_numpy()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    from sklearn.ensemble import RandomForestClassifier

    train, test = probe[probe["split"] == "train"], probe[probe["split"] == "test"]
    forest, votes = RandomForestClassifier(random_state=seed, warm_start=True), 0
    asked = test[TRIVIAL_NUMBERS].to_numpy(np.float32)
    for n in range(20, 201, 20):  # trees: all at once take gigabytes where there are hundreds of devices
        forest.set_params(n_estimators=n).fit(train[TRIVIAL_NUMBERS], train["device"])
        for tree in forest.estimators_[-20:]:
            votes = votes + tree.predict_proba(asked)
        forest.estimators_[-20:] = [None] * 20
    segments = test.assign(draw=0, start=test.groupby(["device", "recording"]).cumcount())
    return predictions_table(votes / n, segments, forest.classes_)
