# %% [markdown]
# # 06 · Model averaging
#
# **Do two half-segments through two networks help?**
#
# | | |
# |---|---|
# | you will learn | how to build a network with two branches, what its joined layer really does, what cutting a segment in two costs and brings |
# | it needs | a corpus; the perceptrons of notebook 04, or it trains them |
# | it makes | table IV, a test for every depth |
# | it takes | half a minute; at paper size one minute |

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
size: str = "quick"  # quick, or paper for the paper's lengths and numbers
noise: str = "wavelet"  # noise extraction, wavelet or none
recipe: str = "default"  # default, or published (selects on the test set)

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import softmax

from devid_lib import evaluation, models, plots
from devid_lib.audio import load_recording
from devid_lib.noise import wavelet_noise
from devid_lib.workbook import describe, differences, joined, show, signed, start, told

session = start("06_model_averaging", globals())
p = session.params

# %% [markdown]
# ## Inputs
#
# The same segments as before, cut into two halves. Each half gets its own noise extraction and its own spectrum, equations
# (1) to (3). By hand, with the test segments of one recording:

# %%
recordings = session.recordings()
dataset = session.dataset(recordings, representation="halves")
devices, samplerate, length = list(dataset.devices), int(recordings["samplerate"].iloc[0]), p["segment_length"]


def spectra(s):
    """Return the log spectra of the noise of both halves, shape (segments, 2, frequencies), and that noise."""
    halves = s.reshape(-1, 2, length // 2)
    e = wavelet_noise(halves, **session.wavelet) if p["noise"] == "wavelet" else halves
    hann = np.sqrt(2 / 3) * (1 - np.cos(4 * np.pi * np.arange(length // 2) / length))
    w = hann if dataset.settings["window"] == "hann" else 1
    return np.log(dataset.settings["scale"] * np.abs(np.fft.rfft(w * e)) + 1), e


test = np.flatnonzero(dataset.mask("test", draw=0))
recording, own = next(iter(dataset.segments.loc[test].groupby(["device", "recording"])))
wave, _ = load_recording(recordings.set_index(["device", "recording"])["path"][recording], samplerate=samplerate)
s = np.stack([wave[start : start + length] for start in own["start"]])
x, e = spectra(s)
np.testing.assert_allclose(x, dataset.X[own.index], atol=0.05)  # single precision, after loud speech

print(f"a whole segment: a frequency every {samplerate / length:.1f} Hz; a half: every {2 * samplerate / length:.1f} Hz")
print(f"the spectra of two halves differ by {np.std(x[:, 0] - x[:, 1], axis=1).mean():.2f} (s.d. over frequency, natural logarithm)")

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=[2, 3], layout="constrained")
for part, name in enumerate(("first half", "second half")):
    axes[0].plot(1000 / samplerate * (np.arange(length // 2) + part * length // 2), e[0, part], lw=0.6)
    axes[1].plot(np.linspace(0, samplerate / 2000, x.shape[2]), x[0, part], lw=0.6, label=name)
axes[0].set(xlabel="time [ms]", ylabel="amplitude", title="noise of the halves")
axes[1].set(xlabel="frequency [kHz]", ylabel="log(c |E| + 1)", title="their spectra")
axes[1].legend()
session.save_figure(axes, "segment", "A test segment cut in two: the noise of its halves, and what the network sees of them.")

# %% [markdown]
# Both spectra have the device in common, though speech may have left traces in one half alone, and each is ragged in its own
# way. More time would make them finer, not smoother: the logarithm of the magnitude of noise scatters by
# $\pi / \sqrt{24} = 0.64$ in every frequency, however long the segment (two of them differ by $0.91$). Smooth is what is
# averaged. So to cut a segment in two is to trade resolution for a second look.
#
# ## Two branches in Keras
#
# The spectra $x_a, x_b$ run through hidden layers of their own; the two last hidden layers stand side by side before the
# softmax (figure 4):
#
# $$ P(y = k \mid x_a, x_b) = \mathrm{softmax}_k\left(W \begin{bmatrix} h_a(x_a) \\ h_b(x_b) \end{bmatrix} + b\right) $$
#
# A `Sequential` cannot fork. In Keras's *functional* style a layer is called on what another one returned, and a `Model`
# is everything between an input and an output:

# %%
keras = models.import_keras()
keras.utils.set_random_seed(p["seed"])
inputs = keras.Input(x.shape[1:])
a, b = inputs[:, 0], inputs[:, 1]
for units in (60, 30):
    a = keras.layers.Dense(units, "tanh")(a)
    b = keras.layers.Dense(units, "tanh")(b)
side_by_side = keras.layers.Concatenate()([a, b])
net = keras.Model(inputs, keras.layers.Dense(len(devices), "softmax")(side_by_side))

twin = models.averaged_mlp(x.shape[2], len(devices), hidden=(60, 30))
twin.set_weights(net.get_weights())
np.testing.assert_allclose(net.predict_on_batch(x), twin.predict_on_batch(x), atol=1e-5)

# %%
hidden = models.SYSTEMS["averaged-mlp-3"].hidden
boxes = [("half spectrum", x.shape[2]), *((f"tanh {i}", units) for i, units in enumerate(hidden, 1))]
ax = plots.network([*boxes, ("joined", 2 * hidden[-1]), ("devices", len(devices))], branches=2)
session.save_figure(ax, "network", "Model averaging with three hidden layers a half, after figure 4 of the paper.")

# %% [markdown]
# ## Fitted

# %%
model, history = session.fitted("averaged-mlp-3", recordings)
print(describe(history))
plain = models.mlp(length // 2 + 1, len(devices))
print(f"weights: {model.count_params():,}; the plain perceptron on whole segments has {plain.count_params():,}")

# %% [markdown]
# ## What is averaged?
#
# Cut the last weight matrix where the halves meet, $W = [W_a\ W_b]$. Then the scores are a sum, and nothing else:
#
# $$ W \begin{bmatrix} h_a \\ h_b \end{bmatrix} + b = \underbrace{W_a h_a + \tfrac{b}{2}}_{s_a,\text{ scores of one half}}
# + \underbrace{W_b h_b + \tfrac{b}{2}}_{s_b,\text{ scores of the other}} $$
#
# So each half votes on its own, and their scores are added. That multiplies their probabilities (and makes them add up
# to one again). Notebook 07 adds probabilities instead. The difference to two separate networks is only that these
# were trained for their sum. With the fitted weights:


# %%
last_hidden, (W, bias) = models.last_hidden(model), model.get_layer("device").get_weights()
W_a, W_b = np.split(W, 2)


def scores(x):
    """Return the scores of either half, each of shape (segments, devices)."""
    h_a, h_b = np.split(last_hidden.predict(x, batch_size=len(x), verbose=0).astype(float), 2, axis=1)
    return h_a @ W_a + bias / 2, h_b @ W_b + bias / 2


s_a, s_b = scores(np.array(dataset.X[test]))
first, second, both = softmax(s_a, axis=1), softmax(s_b, axis=1), softmax(s_a + s_b, axis=1)
product = first * second
np.testing.assert_allclose(both, product / product.sum(axis=1, keepdims=True), atol=1e-6)
np.testing.assert_allclose(softmax(sum(scores(x)), axis=1), model.predict_on_batch(x), atol=1e-4)

# %% [markdown]
# ## What a second vote is worth
#
# The *margin* $m$ of a half is its score of the true device less that of the rival, the other device with the largest sum of
# scores. Margins add up as scores do, and a segment is named right where $m_a + m_b > 0$. The mean of the sum is twice that
# of a half. Its variance hangs on the correlation $\rho$ of the two:
#
# $$ \mathrm{var}(m_a + m_b) = \sigma_a^2 + \sigma_b^2 + 2 \rho\, \sigma_a \sigma_b \approx 2 (1 + \rho)\, \sigma^2 $$
#
# So the sum stands $\sqrt{2 / (1 + \rho)}$ times as many standard deviations above zero as a half: $\sqrt 2$ times where the
# halves err independently, no more where they err together. They are worth $2 / (1 + \rho)$ independent ones, or somewhat less: to choose the rival by
# the sum takes a little off the correlation. How often both are wrong asks the same without a rival.

# %%
y, every = dataset.y[test], np.arange(len(test))
others = s_a + s_b
others[every, y] = -np.inf
rival = others.argmax(axis=1)
m_a, m_b = (of[every, y] - of[every, rival] for of in (s_a, s_b))
rho = np.corrcoef(m_a, m_b)[0, 1]
np.testing.assert_allclose(np.var(m_a + m_b), np.var(m_a) + np.var(m_b) + 2 * rho * np.std(m_a) * np.std(m_b))
np.testing.assert_array_equal(m_a + m_b > 0, both.argmax(axis=1) == y)

far = [m.mean() / m.std() for m in (m_a, m_b, m_a + m_b)]
wrong_a, wrong_b = first.argmax(axis=1) != y, second.argmax(axis=1) != y
print("mean margin in standard deviations: of the first half {:.2f}, of the second {:.2f}, of both {:.2f}".format(*far))
print(f"correlation {rho:.2f}: two halves are worth {2 / (1 + rho):.2f} independent ones")
print(f"both wrong: {np.mean(wrong_a & wrong_b):.1%}; were they independent, {wrong_a.mean() * wrong_b.mean():.1%}")

# %%
ax = plt.subplots(figsize=(5.2, 4.6), layout="constrained")[1]
ax.scatter(m_a, m_b, s=8, alpha=0.5, c=np.where(m_a + m_b > 0, "C0", "C1"))
ax.axline((0, 0), slope=-1, color="0.25", ls="--", lw=1.2)
ax.axhline(0, color="0.7", lw=0.8)
ax.axvline(0, color="0.7", lw=0.8)
ax.set(xlabel="margin of the first half", ylabel="margin of the second half", aspect="equal")
session.save_figure(ax, "margins", "Margins of the halves of every test segment: above the dashed line it is named right.")

# %% [markdown]
# A point is a segment; above the dashed line, $m_a + m_b = 0$, it is named right (blue). Where the halves disagree, the surer
# one prevails. The longer the cloud lies along the diagonal, the more the halves err together: they share the recording, the
# word, and what is alike in two devices.
#
# Other rules cost nothing (Kittler et al. 1998). The product trusts that the halves are independent given the device, and
# one sure *no* overrules the other half; the sum of posteriors forgives it; the larger posterior of any half decides alone.

# %%
rules = {"first half": first, "second half": second, "product": both, "sum": first + second, "larger": np.maximum(first, second)}
right = pd.DataFrame({name: posterior.argmax(axis=1) == y for name, posterior in rules.items()})
agree = first.argmax(axis=1) == second.argmax(axis=1)
table = pd.DataFrame({"the halves agree": right[agree].mean(), "they do not": right[~agree].mean(), "all": right.mean()})
table.T.style.format("{:.1%}")

# %% [markdown]
# Each half alone is a network that hears half as long. What both together gain over one is what a second voter brings,
# and that is decided where the halves disagree. Whether it makes up for the coarser spectra is the question of table IV.
# That table cannot tell averaging from size: the layers of a half are half as wide as those of the plain perceptron or narrower,
# and the weights fewer (counted above).
#
# ## Result
#
# Table IV sets averaging beside the plain perceptron with the same number of layers.

# %%
pairs = [(f"averaged-mlp-{depth}", f"mlp-{depth}") for depth in (1, 2, 3)]
posteriors = {system: session.predictions(system, recordings) for pair in pairs for system in pair}
rows = [session.score(found, system=system, table="IV", variant=session.variant) for system, found in posteriors.items()]
probe = session.score_probe(recordings)
show(*rows, probe)

# %%
ax = plots.accuracy_bars(joined(*rows, probe))
session.save_figure(ax, "accuracy", "Model averaging beside the plain perceptrons, chance, the probe and the paper.")

# %% [markdown]
# Both networks have heard the same test segments, so they are compared recording by recording. Three depths are three
# tests, and their p-values are adjusted for it (Holm).

# %%
alone = {name: evaluation.voted(found, unit="segment") for name, found in posteriors.items()}
tests = evaluation.compared({pair: (alone[pair[0]], alone[pair[1]]) for pair in pairs}, names=["averaging", "against"])
signed(tests)

# %% [markdown]
# ## What can go wrong
#
# A gap: a lost packet leaves half a segment of zeros, whose spectrum is zero as well. That half says something all the
# same, and always the same, and what it says is added. (An odd number of samples has no halves; it is refused.)

# %%
gap = np.array(dataset.X[test])
gap[:, 0] = 0
of_a, of_b = scores(gap)
asked = {"product": of_a + of_b, "sum": softmax(of_a, axis=1) + softmax(of_b, axis=1), "the half that is left": of_b}
kept = {rule: np.mean(of.argmax(axis=1) == y) for rule, of in asked.items()}
print(f"silence is taken for {devices[of_a[0].argmax()]} (posterior {softmax(of_a[0]).max():.0%})")
print("segments named right:", ", ".join(f"{rule} {value:.1%}" for rule, value in kept.items()))

# %% [markdown]
# ## Results of this notebook

# %%
systems, against = zip(*pairs, strict=True)
of_tests = differences(tests, system=systems, variant=[f"{p['noise']}, against {other}" for other in against], unit="segment")
session.finish(*rows, session.figures(of_tests), probe)[["table", "system", "variant", "unit", "value", "low", "high", "paper"]]

# %% [markdown]
# ## What we saw

# %%
session.saw(
    *(f"{a}, against {b}, {row['verdict']} ({told(row)}, adjusted)." for (a, b), row in tests.iterrows()),
    f"The joined layer adds the scores of the halves: {right['first half'].mean():.1%} and {right['second half'].mean():.1%} of the "
    f"segments are named right by one half alone, {right['product'].mean():.1%} by both; adding posteriors instead gives "
    f"{right['sum'].mean():.1%}, the larger one {right['larger'].mean():.1%}.",
    f"The halves agree on {agree.mean():.0%} of the segments; where they do, {table.loc['product', 'the halves agree']:.1%} "
    f"are named right. Their margins correlate by {rho:.2f}; both halves are wrong on {np.mean(wrong_a & wrong_b):.1%} of the "
    f"segments, and would be on {wrong_a.mean() * wrong_b.mean():.1%} if they erred independently.",
)

# %% [markdown]
# ## Exercises
#
# 1. Let both halves run through the *same* hidden layers. How is that built in Keras, how many weights does it save, and
#    what should it change?
# 2. Cut the segment into four quarters. What is traded for what?
#
# Worked answers: [solutions](solutions/06_model_averaging.ipynb)
#
# Next: [07 · Voting](07_voting.ipynb)
