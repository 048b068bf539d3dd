# %% [markdown]
# # 10c · Noise residuals and one-class machines: answers
#
# Worked answers to the exercises of
# [10c · Noise residuals and one-class machines](../10c_noise_residuals_and_one_class.ipynb).

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers

# %%
import numpy as np
from IPython.display import Audio, display
from scipy.signal import get_window

from devid_lib.systems import oneclass, residual, spectra
from devid_lib.systems.excerpts import cut_excerpts, whole_recordings
from devid_lib.workbook import start

session = start("10c_noise_residuals_and_one_class-answers", globals())
p = session.params
recordings = session.recordings()
ten_seconds = {"seconds": 10, "n": 1, "seed": p["seed"]}
train, tests = (cut_excerpts(whole_recordings(recordings, split), **ten_seconds) for split in ("train", "test"))
owners = [x.device for x in train]

# %% [markdown]
# **1. Spectral subtraction with $\alpha$ of 1, 2 and 4 in [9]: what becomes of the separation, and of what you hear?**

# %%
y, sr = train[0].y[: 4 * train[0].samplerate], train[0].samplerate
pieces = spectra.framed(y, length=2048, hop=1024)
window = get_window("hann", 2048)
S = np.fft.rfft(pieces * window)
power, hiss = np.abs(S) ** 2, residual.noise_power(pieces) * np.sum(window**2)
for over in (1.0, 2.0, 4.0):
    gain = residual.subtraction_gain(power, hiss, over=over)
    sound = np.zeros(1024 * (len(S) + 1))
    for t, piece in enumerate(np.fft.irfft((1 - gain) * S)):
        sound[1024 * t : 1024 * t + 2048] += piece
    options = {"n_fft": 2048, "over": over, "periodicity": 0.5}
    ratio = spectra.separation(spectra.feature_matrix(train, residual.residual_spectrum, **options), owners)
    share = np.sum(sound**2) / np.sum(y.astype(float) ** 2)
    print(f"alpha = {over:g}: separation {ratio:.2f}; the residual has {share:.1%} of the recording's power")
    display(Audio(sound, rate=sr))

# %% [markdown]
# A larger $\alpha$ takes more out, and more of it is speech: a bin that is not $\alpha$ times as large as the noise goes into
# the residual whole, weak consonants first. At 1 much of the noise stays in the estimated speech, for in many frames it
# is louder than on average.
#
# **2. Widen the kernel of [10]: `gamma` of 1, 10 and 100. How many seconds of its own device, and how many of others, does
# a machine accept?**

# %%
tests = [x for x in tests if x.device in owners]
for gamma in (1.0, 10.0, 100.0):
    system = oneclass.RepresentativeOneClass(gamma=gamma, random_state=p["seed"]).fit(train, owners)
    rows = [system.scaler_.transform(oneclass.noise_spectra(x.y, x.samplerate)) for x in tests]
    whose = np.repeat([x.device for x in tests], [len(one) for one in rows])
    own = whose[:, None] == system.classes_
    scores = np.stack([oneclass.acceptance(machine, np.concatenate(rows)) for machine in system.machines_], axis=1)
    best = own[np.arange(len(own)), scores.argmax(axis=1)].mean()
    accepted, others = (scores[own] >= 0).mean(), (scores[~own] >= 0).mean()
    print(f"gamma = {gamma:5g}: {accepted:.1%} of a device's own seconds and {others:.1%} of the others' are accepted;")
    print(f"               the right machine scores highest in {best:.1%}")

# %% [markdown]
# The kernel's width decides what "near" is. A wide one (small `gamma`) accepts seconds of other recordings of the device
# and, widened further, of other devices; a narrow one accepts nothing that it has not seen. Which machine scores *highest*
# depends much less on it: the order of the distances stays nearly as it is.
