# %% [markdown]
# # 20 · The questioned recording
#
# **Which of these devices made this recording, or none of them, and how sure may one be?**

# %% [markdown] tags=["lab-only"]
# | | |
# |---|---|
# | you will learn | how a case is worked: propositions, intake, conditions, comparison, answer, limits |
# | it needs | recordings of known devices, questioned ones, and best recordings of other devices as a background; without any, a case is made from simulated recorders |
# | it makes | `answers.csv`, the page of the case, a comparison that can be used again |
# | it takes | half a minute, and a minute to make the made case |
#
# `devid identify QUESTIONED... --references FOLDER --background FOLDER` executes this notebook and exports it without its code:
# that is the page of the case. `devid validate REFERENCES` is the same with nothing asked. Cells tagged `lab-only`, such as this
# one, stay out of the page. Here, in Lab, write into the next cell where your recordings are.

# %% tags=["parameters"]
corpus: str = "simulated"  # simulated, simulated-control, a name of devid corpora, a folder or a CSV
questioned: str = ""  # files or folders that are asked about, one a line
background: str = ""  # corpora of other devices, one a line
comparison: str = ""  # folder of an earlier case, whose comparison is used again
run_dir: str = "runs/lab"  # folder for results, seen from the project
seed: int = 0  # one seed gives one result
segment_length: int = 4096  # length of a segment [samples]
samplerate: int = 0  # common rate [Hz], 0 for the lowest in the corpus

# %% tags=["quiet"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display
from scipy.stats import norm

from devid_lib import covariances, plots
from devid_lib.workbook import case_page, folder, start
from devid_lib.workbook.case import save_case
from devid_lib.workbook.questions import answers_table, case_of
from devid_lib.workbook.tables import bullets, without_folders
from devid_lib.workbook.validation import bounded_pairs

session = start("20_questioned_recording", globals())

# %%
case, asked, name, truth = case_of(session.params)
save_case(case, session.run / "case")
with folder.kept(session.run, session.notebook, "answers.csv") as temporary:
    answers_table(asked).to_csv(temporary, index=False)

# %% [markdown]
# ## Answers

# %%
if asked:
    reasons = [f"{one.facts['file']}: {one.answer}, {one.reason}" for one in asked if one.reason]
    display(case_page.summary(asked, case), bullets(*reasons))
else:
    print("Nothing was asked: what follows says how good a comparison these recordings allow.")

# %% [markdown]
# A ratio says how many times more probable the likeness of the recordings is under $H_1$ than under $H_2$, the propositions
# below: a log10 ratio of 1 is 10 times, of 2 it is 100 times, of -1 a tenth. It is no probability that the device made the
# recording: that also depends on everything else known in the case.
#
# - The words are those of the ENFSI guideline (2015): weak support from 2 times on, moderate from 10, strong from 1000.
# - *None of these*: the ratio of no reference is above 1, which does not exclude each of them.
# - *No answer*: the reason stands beside it; a *side* is a stretch of some seconds.
# - A ratio at a bound, from the bound to the bound, was cut off there: *at least* so strong, but no more can be shown.
#
# ## Propositions
#
# For every questioned recording and every reference device:
#
# - $H_1$: it was made by the reference device or one **of the same model**, with the settings of its recordings;
# - $H_2$: it was made by a device of another model, of the kind of those in the population below.
#
# A model is claimed, not a unit: one unit often differs more from one day, room and place on a desk to another than two units
# of a model do. Where several units of a model are known, the matrix below has lines for models and for units. Does what
# speaks against a reference device, and *none of these*, speak against another unit of its model?

# %%
if case.comparison is not None:
    print(case_page.other_units(case))

# %% [markdown]
# ## Known recordings

# %%
for note in case.notes:
    print("Note:", without_folders(note))
if case.reason:
    print("No likelihood ratio can be given:", case.reason)
counts = case.known.groupby("role", sort=False).agg(
    devices=("device", "nunique"), recordings=("recording", "size"),
    models=("model", lambda names: names[names != ""].nunique() or "not told"),
    sessions=("session", lambda names: names[names != ""].nunique() or "not told"),
)  # fmt: skip
s = case.settings
side_s = s["per"] * s["segment_length"] / s["samplerate"]
print(f"compared at {s['samplerate']} Hz, in sides of {s['per']} segments of {s['segment_length']} samples: {side_s:.2f} s each")
counts

# %% [markdown]
# ## The comparison
#
# What is compared are *sides*: the mean log spectrum of consecutive segments, and that of their sixteenths, as cosine
# coefficients. In a suitable basis (notebook 15) what changes from session to session of one device has variance 1, and
# devices differ with variance $b_i$ along axis $i$. With the reference $r$ and the questioned recording $q$, and
# $g_i = b_i / (b_i + 1)$ for how much of $r_i$ is device,
#
# $$ s = \sum_i \log \frac{\mathcal N(q_i;\; g_i r_i,\; g_i + 1)}{\mathcal N(q_i;\; 0,\; b_i + 1)}, \qquad
# \log_{10} \mathrm{LR} = \operatorname{clip}(\alpha s + \beta,\; \text{bounds}) $$
#
# $\alpha$ and $\beta$ are fitted on devices that were left out, the bounds are what the validation and the number of devices
# allow: with few devices no ratio can be large, however alike two recordings are.
#
# There are two comparisons. One knows recordings as they are. The other has also learnt from copies of them, with noise, in
# narrower bands, through codecs (*multi-condition training*, notebook 13). Its $\alpha$, $\beta$ and bounds are those of copies
# against references as they are. It serves where a questioned recording lies beyond the known ones, or in a coding that not
# every known device has, but not beyond their copies. *None of these* has to stand in both: if the second names a device,
# there is no answer.


# %%
def by_hand(comparison, device, references, asked_about):
    """Return the log10 likelihood ratio of sides of a reference device and of a questioned recording."""
    known = comparison.devices != device  # what a device is asked about must not have been learnt from it
    model = covariances.fit_two_covariance(comparison.x[known], comparison.devices[known], comparison.sessions[known])
    r, q = ((x.mean(axis=0, dtype=float) - model.mean) @ model.basis for x in (references, asked_about))
    b, g = model.between, model.between / (model.between + 1)
    s = (norm.logpdf(q, g * r, np.sqrt(g + 1)) - norm.logpdf(q, 0, np.sqrt(b + 1))).sum()
    slope, offset = comparison.lines[0]
    return np.clip(slope * s + offset, *comparison.bounds)


if case.comparison is not None:
    pair = case.sides(case.devices[0]), case.sides(case.devices[-1])
    value, low, high = case.comparison.log10_lr(*pair, device=case.devices[0])
    np.testing.assert_allclose(by_hand(case.comparison, case.devices[0], *pair), value, rtol=1e-6, atol=1e-9)
    bounds = case.comparison.bounds
    print(f"every log10 ratio lies between {bounds[0]:.2f} and {bounds[1]:.2f}")

# %% [markdown]
# ## Validation
#
# Every known device is left out in turn: neither the comparison nor its calibration has seen the devices of the pairs that are
# counted here, of one device + of two. The criteria were fixed beforehand and are the same in every case; one that is *not met*
# stops no answer, and has to be told with it. Intervals are 95 % over $n$ devices. The rows follow Meuwly, Ramos and Haraksim
# (2017). *Cllr* is what the ratios cost in bits, 0 if perfect and 1 if worth nothing; *Cllr_min* is its part for alike recordings
# of different devices, *Cllr_cal* its part for ratios of the wrong size. *EER* is the error rate where both errors are equally
# frequent, *AUROC* how often a pair of one device has the larger ratio than a pair of two (notebooks 14 and 15). Robustness is
# asked with noise 20 dB below the recording, in a room of 0.3 s reverberation, and through MP3 of 64 kbit/s.

# %%
if case.comparison is None:
    print(f"There is no comparison to validate: {case.reason}.")
else:
    display(case_page.styled(case.matrix))
if case.copies is not None:
    bounds = case.copies.comparison.bounds
    display(Markdown(f"The same for copies in other conditions; their log10 ratios lie between {bounds[0]:.2f} and {bounds[1]:.2f}:"))
    display(case_page.styled(case.copies.matrix))

# %%
if case.comparison is not None:
    same, different, named = bounded_pairs(case)
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    plots.tippett(same, different, ax=axes[0])
    plots.pav(same, different, ax=axes[1])
    session.save_figure(axes, "validation", "Ratios of pairs of known recordings, devices left out: Tippett and PAV plots.")
    shown = {"unknown_named": "of unknown devices' sides were named", "known_declined": "of known devices' sides were not named"}
    shown |= {"known_misnamed": "of known devices' sides got another device's name"}
    n, all_of = case.rule["n_references"], f" (here {len(case.devices)}: no more of other models are known)"
    print(f"a device is named if its log10 ratio, before the bounds, is the largest and at least {case.rule['threshold']:.2f}; with {n}"
          f" reference devices{all_of if n < len(case.devices) else ''}, among known recordings:")  # fmt: skip
    for key, words in shown.items():
        print("  {:.1%} ({:.1%} to {:.1%})".format(*case.rule[key]), words)
    display(Markdown(
        "Left, how many pairs have at least the ratio on the axis: what stands of different devices right of 0 misleads, and so "
        "does what is missing of the same device left of 0. Right, ratios as the best monotone calibration would have them: on "
        "the diagonal they are what they say."))  # fmt: skip

# %% [markdown]
# ## Questioned recordings

# %%
for number, one in enumerate(asked):
    display(HTML(case_page.heading(number + 1, one, case)))
    display(case_page.intake(one))
    if one.y is None:
        continue
    display(HTML(case_page.player(one)))
    if len(one.checks):
        display(case_page.styled(one.checks))
    if one.ratios["log10_lr"].notna().any():
        display(case_page.ratios(one))
    case_page.picture(one, case)
    plt.show()

# %% [markdown]
# Of every file: what can be measured of it, and what its header says, which anybody can have written; whether it is within what
# the comparison was validated for, the middle 90 % of the known recordings and a margin (*beyond* is an obstacle to an answer,
# *noted* is only said); the ratios. The pictures: the spectrogram; the ratios of its stretches, which should agree if one device
# made all of it; a score (no ratio to be reported) for something else to begin at a time, with a dot where the recording as a
# whole says that it does (notebook 16); the file's ratios as lines over those of known pairs.

# %% tags=["lab-only"]
def look(file):
    """Draw one of the questioned files."""
    case_page.picture(next(one for one in asked if one.facts["file"] == file), case)


readable = [one.facts["file"] for one in asked if one.y is not None]
if readable and not session.headless:  # all were drawn above
    session.interact(look, file=readable)

# %% [markdown]
# ## What can go wrong
#
# - **The population.** $H_2$ is about devices like those in the background. If the questioned recording may come from a kind of
#   device that is not there, the ratio says nothing about that.
# - **The session.** References made on one day, in one room, by one speaker share all of that. A recording of the same device
#   from elsewhere is less alike, one of another device from there more.
# - **The conditions.** Another codec, an editor, a messenger, a denoiser between the device and the file change what is compared.
#   The conditions check finds only what its lines measure; make references in the questioned recording's condition, if that is known.
#   And make all of them alike: where each device's references have a codec or a noise of their own, that is learnt in its place.
# - **Pieces.** A recording put together from several is only seen as one where they differ more than sound of one device does. A
#   piece shorter than two seconds is not seen; a noise gate that opens, or another room, may be taken for a splice (notebook 16).
#
# How far does the conditions check go? What does the case say of sounds that no device recorded?

# %%
made = case_page.impostors(case)
case_page.styled(made)

# %% [markdown]
# ## Results of this notebook

# %%
records = []
if case.comparison is not None:
    table = case.matrix[case.matrix["measure"].isin(["Cllr", "Cllr_min", "Cllr_cal", "EER", "AUROC"])]
    records = [
        {"system": "two-covariance", "variant": "case", "metric": row.measure, "value": row.value, "low": row.low, "high": row.high}
        | {"n": row.n, "unit": "side"}
        for row in table.itertuples()
    ]
empty = pd.DataFrame(columns=["system", "variant", "metric", "value", "low", "high", "n", "unit"])
rows = session.finish(session.figures(records if records else empty, corpus=name))
rows[["system", "variant", "metric", "value", "low", "high", "n"]]

# %% [markdown]
# ## What we saw

# %%
said = [f"{len(asked)} recordings were asked about, {len(case.devices)} reference devices, {case.known['device'].nunique()} known ones in all."]
if case.comparison is None:
    said += [f"No likelihood ratio was given: {case.reason}."]
else:
    for what, matrix in {"validation": case.matrix, "validation by copies": getattr(case.copies, "matrix", None)}.items():
        if matrix is not None:
            failed = matrix["measure"][matrix["verdict"].str.startswith("not met")]
            met = matrix["verdict"].str.startswith("met").sum()
            said.append(f"Criteria of the {what}: {met} met; not met: {'; '.join(failed) or 'none'}.")
counts = pd.Series([one.answer if one.answer in ("no answer", "none of these") else "a device" for one in asked], dtype=str).value_counts()
said.append("Answers: " + (", ".join(f"{n} {answer}" for answer, n in counts.items()) or "none asked") + ".")
if truth is not None:
    right = case_page.judged(asked, truth)
    said.append(f"The case is a made one: {right['right'].sum()} of {len(right)} were answered rightly or declined.")
    display(case_page.styled(right))
strong = made["largest log10 ratio"].max()
said.append("Sounds of no device: " + ("all were declined." if np.isnan(strong) else f"the largest log10 ratio was {strong:.2f}."))
session.saw(*said)

# %% [markdown]
# ## Versions and checksums

# %%
print(*(f"{package} {number}" for package, number in folder.versions().items()), sep=", ")
print(f"seed {s['seed']}; bounds of log10 likelihood ratios:", np.round(case.comparison.bounds, 2) if case.comparison else "none")
case_page.styled(case.known[["role", "device", "recording", "sha256"]][case.known["role"] == "reference"])

# %% [markdown] tags=["lab-only"]
# ## Exercises
#
# 1. How much does the background matter? Ask the same files with half of its devices: what happens to the bounds, and to the answers?
# 2. How long must a recording be? Ask about the first 2, 4 and 8 seconds of one.
#
# Worked answers: [solutions](solutions/20_questioned_recording.ipynb)
#
# Next: [90 · Speed](90_speed.ipynb)
