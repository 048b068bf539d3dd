"""plots: what is drawn is what came in, for few and for many devices, and nothing else is touched."""

import warnings
import zlib

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from devid_lib import plots
from devid_lib.errors import ParameterError

SAMPLERATE = 16000


@pytest.fixture(autouse=True)
def own_figures():
    """Close the figures of a test and restore the settings."""
    with matplotlib.rc_context():
        yield
    plt.close("all")


def devices(n):
    return [f"device {i:02d}" for i in range(n)]


def recordings(n):
    rows = [
        {"device": device, "recording": f"clip{r}", "split": "train" if r < 3 else "test", "duration_s": 30.0 * r}
        for device in devices(n)
        for r in (1, 2, 3)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def segments(n):
    table = recordings(n)
    rng = np.random.default_rng(1)
    parts = [
        pd.DataFrame({
            "device": row.device,
            "recording": row.recording,
            "split": row.split,
            "draw": 0,
            "start": rng.integers(0, 100000, 20 if row.split == "train" else 7),
            "n_samples": int(row.duration_s * SAMPLERATE),
        })
        for row in table.itertuples()
    ]
    return pd.concat(parts, ignore_index=True)


def spectra(n):
    frequency = np.fft.rfftfreq(512, 1 / SAMPLERATE)
    values = np.random.default_rng(2).normal(-40, 5, (len(frequency), n))
    return pd.DataFrame(values, index=frequency, columns=devices(n))


def matrix(n):
    values = np.eye(n) * 0.9
    values[np.arange(n), np.roll(np.arange(n), 1)] = 0.098
    values[np.arange(n), np.roll(np.arange(n), 2)] = 0.002
    return pd.DataFrame(values, devices(n), devices(n))


def points(n):
    labels = np.repeat(devices(n), 10)
    centres = np.repeat(np.random.default_rng(3).normal(0, 10, (n, 2)), 10, axis=0)
    return centres + np.random.default_rng(4).normal(size=centres.shape), labels


def features(n):
    labels = np.repeat(devices(n), 4)
    order = np.random.default_rng(5).permutation(len(labels))
    X = np.repeat(np.arange(n, dtype=np.float32), 4)[:, None] + np.zeros((1, 30), np.float32)
    return X[order], labels[order]


def levels(n):
    return {device: (-60.0 + i, -20.0 - i / 2) for i, device in enumerate(devices(n))}


def results(n=4):
    table = pd.DataFrame({
        "system": [f"mlp-{i}" for i in range(n)],
        "variant": ["wavelet", ""] * (n // 2) + ["none"] * (n % 2),
        "unit": (["segment", "vote3", "recording", "excerpt"] * n)[:n],
        "value": np.linspace(0.5, 0.97, n),
        "low": np.linspace(0.4, 0.9, n),
        "high": np.linspace(0.6, 1.0, n),
        "chance": 1 / 9,
    })
    return table.assign(paper=pd.array([0.93] + [pd.NA] * (n - 1), "Float64"))


def history(*, every=1, select_on="validation", epochs=20, epoch=15):
    steps = np.arange(1, epochs + 1)
    table = pd.DataFrame({"epoch": steps, "loss": 1 / steps, "accuracy": 1 - 0.8 / steps})
    table.loc[every - 1 :: every, "val_loss"] = 1.1 / steps[every - 1 :: every]
    table.loc[every - 1 :: every, "val_accuracy"] = 0.9 - 0.8 / steps[every - 1 :: every]
    table.attrs |= {"epoch": epoch, "select_on": select_on}
    return table


def lbfgs_history():
    table = history()[["epoch", "loss", "accuracy"]]
    table.attrs = {"epoch": 20, "select_on": "nothing"}
    return table


def vote_table(value=0.9, voters=(1, 2, 3, 5)):
    k = np.array(voters)
    up = value + (1 - value) * (1 - 1 / k)
    return pd.DataFrame({"voters": k, "value": up, "low": up - 0.05, "high": up, "n": 100, "chance": 1 / 9})


def calibration_table():
    return pd.DataFrame({"confidence": [0.3, 0.6, 0.95], "accuracy": [0.2, 0.55, 0.97], "n": [10, 20, 170]})


def sines(n=10, taps=65):
    frequency = np.linspace(500, 7000, n)
    return np.sin(2 * np.pi * np.arange(taps)[:, None] * frequency / SAMPLERATE)[:, None, :].astype(np.float32)


def ratios():
    tasks, units = ["features", "training", "identification"], ["ratio", "ratio", "times real time"]
    return pd.DataFrame({"task": tasks, "value": [7.5, 0.4, 870.0], "target": [6.0, 10.0, np.nan], "unit": units})


SIGNALS = {"recording": np.sin(np.arange(800) / 9), "speech": np.zeros(800), "noise": 1e-4 * np.cos(np.arange(800))}
DETAILS = [np.linspace(-10, 10, n) for n in (512, 256, 128, 64, 32, 16, 15, 15, 15)]
LAYERS = [("spectrum", 1025), ("tanh", 500), ("tanh", 100), ("joined", 200), ("devices", 9)]
STEPS = ["recording", ("noise", "e = s - f"), "feature", "classifier", "votes", "device"]

# every figure with its number of axes (0: one axes, not an array), as drawn for n devices
def board(n):
    return pd.DataFrame({"segment": 0.5, "recording": np.linspace(1, 0.1, n)}, index=[f"system {i}" for i in range(n)])


FIGURES = {
    "flow": (0, lambda n, **k: plots.flow(STEPS, **k)),
    "network": (0, lambda n, **k: plots.network([*LAYERS[:-1], ("devices", n)], **k)),
    "durations": (0, lambda n, **k: plots.durations(recordings(n), **k)),
    "waveforms": (3, lambda n, **k: plots.waveforms(SIGNALS, samplerate=SAMPLERATE, **k)),
    "segment_places": (
        0,
        lambda n, **k: plots.segment_places(segments(n), samplerate=SAMPLERATE, device=devices(n)[3], **k),
    ),
    "detail_coefficients": (8, lambda n, **k: plots.detail_coefficients(DETAILS, [1.0] * len(DETAILS), **k)),
    "thresholding": (0, lambda n, **k: plots.thresholding(2.0, **k)),
    "spectrogram": (0, lambda n, **k: plots.spectrogram(SIGNALS["recording"], samplerate=SAMPLERATE, **k)),
    "device_spectra": (0, lambda n, **k: plots.device_spectra(spectra(n), **k)),
    "feature_matrix": (0, lambda n, **k: plots.feature_matrix(*features(n), **k)),
    "log_scale": (0, lambda n, **k: plots.log_scale(levels(n), scales={"published": 1.0, "default": 1774.0}, **k)),
    "learning_curve": (2, lambda n, **k: plots.learning_curve(history(), **k)),
    "accuracy_bars": (0, lambda n, **k: plots.accuracy_bars(results(min(n, 20)), **k)),
    "vote_curve": (0, lambda n, **k: plots.vote_curve({"sum": vote_table()}, paper={3: 0.96}, **k)),
    "confusion_matrix": (0, lambda n, **k: plots.confusion_matrix(matrix(n), **k)),
    "tsne": (0, lambda n, **k: plots.tsne(*points(n), **k)),
    "calibration": (0, lambda n, **k: plots.calibration({"segment": calibration_table()}, **k)),
    "filters": (8, lambda n, **k: plots.filters(sines(), samplerate=SAMPLERATE, n=8, **k)),
    "filter_spectra": (2, lambda n, **k: plots.filter_spectra(sines(), sines(), samplerate=SAMPLERATE, **k)),
    "speed_bars": (0, lambda n, **k: plots.speed_bars(ratios(), **k)),
    "leaderboard": (0, lambda n, **k: plots.leaderboard(board(min(n, 30)), **k)),
    "curves": (0, lambda n, **k: plots.curves(np.zeros((3, 5)), devices(n)[:3], **k)),
    "plane": (0, lambda n, **k: plots.plane([np.eye(2)] * 6, devices(n)[:6], **k)),
    "named_bars": (0, lambda n, **k: plots.named_bars(np.arange(n), devices(n), **k)),
    "similarity": (0, lambda n, **k: plots.similarity(np.eye(2 * n), np.repeat(devices(n), 2), **k)),
}
DIAGRAMS = {"flow", "network", "tsne", "plane", "named_bars", "similarity"}  # without measured axes
NAMES_ON_Y = {"durations", "segment_places", "feature_matrix", "accuracy_bars", "filters", "speed_bars"}
NAMES_ON_Y |= {"leaderboard", "curves"}  # the caller of curves names its axes


def widths(ax):
    return np.array([bar.get_width() for bar in ax.patches])


def texts(ax):
    return [text.get_text() for text in ax.texts]


def arrows(ax):
    return [text for text in ax.texts if getattr(text, "arrow_patch", None)]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def tick_names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("n", [9, 45])
@pytest.mark.parametrize("name", FIGURES)
def test_returns_its_axes_and_touches_nothing_else(name, n):
    n_axes, draw = FIGURES[name]
    other = plt.figure()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settings = dict(plt.rcParams)
        drawn = draw(n)
        np.ravel(drawn)[0].figure.draw_without_rendering()
    assert isinstance(drawn, np.ndarray if n_axes else Axes)
    assert len(np.ravel(drawn)) == max(n_axes, 1)
    assert any(ax.get_xlabel() for ax in np.ravel(drawn)) or name in DIAGRAMS
    assert any(ax.get_ylabel() for ax in np.ravel(drawn)) or name in DIAGRAMS | NAMES_ON_Y
    assert dict(plt.rcParams) == settings
    assert plt.fignum_exists(other.number) and len(plt.get_fignums()) == 2


@pytest.mark.parametrize("name", FIGURES)
def test_draws_on_the_axes_it_is_given(name):
    n_axes, draw = FIGURES[name]
    _, given = plt.subplots(max(n_axes, 1))
    drawn = draw(9, ax=given)
    assert len(plt.get_fignums()) == 1
    assert list(np.ravel(drawn)) == list(np.ravel(given))
    assert all(ax.has_data() or ax.patches or ax.images for ax in np.ravel(drawn))


@pytest.mark.parametrize("name", [name for name, (n_axes, _) in FIGURES.items() if n_axes])
def test_too_few_axes_are_refused(name):
    n_axes, draw = FIGURES[name]
    with pytest.raises(ParameterError, match=f"{n_axes} axes are needed, ax has 1"):
        draw(9, ax=plt.subplots()[1])


def test_every_public_function_is_tested():
    own = {name for name, thing in vars(plots).items() if getattr(thing, "__module__", "") == plots.__name__}
    public = {name for name in own if not name.startswith("_")}
    assert public - set(FIGURES) == {"set_style", "device_colors"}


def test_set_style_makes_svg_reproducible(tmp_path):
    plots.set_style()
    sums = set()
    for name in ("a.svg", "b.svg"):
        ax = plots.accuracy_bars(results())
        ax.figure.savefig(tmp_path / name, metadata={"Date": None})
        sums.add(zlib.crc32((tmp_path / name).read_bytes()))
    assert plt.rcParams["svg.hashsalt"] and len(sums) == 1


@pytest.mark.parametrize("n", [2, 9, 10, 11, 45, 60])
def test_device_colors_differ_and_are_stable(n):
    colors = plots.device_colors(devices(n))
    assert list(colors) == devices(n)
    assert len({tuple(np.round(color, 3)) for color in colors.values()}) == n
    assert colors == plots.device_colors(tuple(devices(n)))
    assert all(0 <= channel <= 1 for color in colors.values() for channel in color)


def test_flow_has_a_box_per_step_and_an_arrow_between_two():
    ax = plots.flow(STEPS)
    assert len(ax.patches) == 6 and len(arrows(ax)) == 5
    assert {"recording", "noise", "e = s - f", "device"} <= set(texts(ax))


def test_flow_wraps_beyond_five_steps():
    def rows(n):
        return len({round(box.get_y(), 3) for box in plots.flow(["step"] * n).patches})

    assert [rows(n) for n in (1, 5, 6, 10)] == [1, 1, 2, 2]


def test_network_heights_are_logarithmic():
    ax = plots.network([("in", 999), ("hidden", 99), ("out", 9)])
    heights = [box.get_height() for box in ax.patches]
    np.testing.assert_allclose(np.array(heights) / heights[0], [1, 2 / 3, 1 / 3])
    assert {"999", "99", "9", "in", "hidden", "out"} <= set(texts(ax))


def test_network_branches_merge_before_the_last_two():
    ax = plots.network(LAYERS, branches=2)
    assert len(ax.patches) == 2 * 3 + 2
    assert len(arrows(ax)) == 2 * 2 + 2 + 1
    with pytest.raises(ParameterError, match="branches=2"):
        plots.network(LAYERS[:2], branches=2)


@pytest.mark.parametrize("n", [9, 45])
def test_durations_add_up_in_minutes_training_first(n):
    ax = plots.durations(recordings(n))
    assert tick_names(ax.yaxis) == devices(n) and ax.yaxis_inverted()
    bars = sorted(ax.patches, key=lambda bar: (round(bar.get_y()), bar.get_x()))
    np.testing.assert_allclose([bar.get_width() for bar in bars], np.tile([0.5, 1.0, 1.5], n))
    np.testing.assert_allclose([bar.get_x() for bar in bars], np.tile([0.0, 0.5, 1.5], n), atol=1e-12)
    assert [to_rgb(bar.get_facecolor()) for bar in bars[:3]] == [plots.BLUE, plots.BLUE, plots.ORANGE]
    assert legend(ax) == ["training", "test"]


def test_waveforms_are_in_milliseconds_on_their_own_scales():
    axes = plots.waveforms(SIGNALS, samplerate=SAMPLERATE)
    for ax, (label, y) in zip(axes, SIGNALS.items(), strict=True):
        np.testing.assert_allclose(ax.lines[0].get_xdata(), 1000 * np.arange(800) / SAMPLERATE)
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), y)
        assert ax.get_title(loc="right") == label
    assert axes[2].get_ylim()[1] < 2e-4 < axes[0].get_ylim()[1]
    assert "[ms]" in axes[-1].get_xlabel()


def test_segment_places_has_a_row_per_recording():
    table = segments(9)
    ax = plots.segment_places(table, samplerate=SAMPLERATE, device="device 03")
    assert tick_names(ax.yaxis) == ["clip1\n20 segments", "clip2\n20 segments", "clip3\n7 segments"]
    np.testing.assert_allclose(widths(ax), [30, 60, 90])
    for row, drawn in enumerate(ax.collections):
        own = table[(table["device"] == "device 03") & (table["recording"] == f"clip{row + 1}")]
        np.testing.assert_allclose([path[0, 0] for path in drawn.get_segments()], own["start"] / SAMPLERATE)
    assert [to_rgb(drawn.get_color()[0]) for drawn in ax.collections] == [plots.BLUE, plots.BLUE, plots.ORANGE]
    with pytest.raises(ParameterError, match="'nobody'"):
        plots.segment_places(table, samplerate=SAMPLERATE, device="nobody")


def test_detail_coefficients_are_split_at_the_threshold():
    details, thresholds = [np.array([-5.0, 0.5, 2.0, -0.1]), np.array([0.3, -4.0])], [1.0, np.array([2.0])]
    axes = plots.detail_coefficients(details, thresholds)
    for ax, d, t in zip(axes, details, (1, 2), strict=True):
        speech, noise = ([path[:, 1] for path in drawn.get_segments()] for drawn in ax.collections)
        np.testing.assert_allclose(noise, np.stack([0 * d, np.clip(d, -t, t)], axis=1))
        np.testing.assert_allclose(speech, np.stack([np.clip(d, -t, t), d], axis=1))
        assert sorted(line.get_ydata()[0] for line in ax.lines) == [-t, t]
    assert "5 thresholds" in axes[0].get_title(loc="right")


def test_detail_coefficients_stand_zero_thresholds_and_refuse_missing_ones():
    axes = plots.detail_coefficients([np.ones(4), np.zeros(4)], [0.0, 0.0])
    assert all(np.isfinite(ax.get_ylim()).all() and ax.get_ylim()[1] > 0 for ax in axes)
    with pytest.raises(ParameterError, match="1 thresholds do not fit 2 levels"):
        plots.detail_coefficients([np.ones(4)] * 2, [1.0])


def test_thresholding_parts_add_up_to_the_coefficient():
    ax = plots.thresholding(2.0)
    for mode in ("soft", "hard"):
        kept, removed = line(ax, f"{mode}: kept (speech)"), line(ax, f"{mode}: removed (noise)")
        np.testing.assert_allclose(kept.get_ydata() + removed.get_ydata(), kept.get_xdata())
    at = np.array([-6.0, -2.5, -1.0, 0.0, 1.9, 2.5, 6.0])
    for mode, expected in {"soft": [-4, -0.5, 0, 0, 0, 0.5, 4], "hard": [-6, -2.5, 0, 0, 0, 2.5, 6]}.items():
        kept = line(ax, f"{mode}: kept (speech)")
        np.testing.assert_allclose(np.interp(at, kept.get_xdata(), kept.get_ydata()), expected, atol=1e-9)
    with pytest.raises(ParameterError, match="threshold=0"):
        plots.thresholding(0)


def test_spectrogram_shows_a_tone_at_its_place_and_level():
    tone = 0.5 * np.sin(2 * np.pi * 4000 * np.arange(SAMPLERATE) / SAMPLERATE)
    ax = plots.spectrogram(tone, samplerate=SAMPLERATE)
    image = ax.images[0]
    db, (left, right, bottom, top) = image.get_array(), image.get_extent()
    row = db.mean(axis=1).argmax()
    assert bottom + (top - bottom) * row / (len(db) - 1) == pytest.approx(4, abs=0.02)
    assert db.max() == pytest.approx(10 * np.log10(0.5**2 / 2), abs=0.1)  # mean square of the sine
    assert 0 <= left < right <= 1 and top == 8
    assert image.colorbar is not None
    with pytest.raises(ParameterError, match=r"\(2, 100\)"):
        plots.spectrogram(np.zeros((2, 100)), samplerate=SAMPLERATE)


def test_spectrogram_of_silence_is_drawn():
    assert np.isfinite(plots.spectrogram(np.zeros(500), samplerate=SAMPLERATE).images[0].get_array()).all()


def test_device_spectra_few_devices_are_all_coloured():
    table = spectra(9)
    ax = plots.device_spectra(table)
    assert legend(ax) == devices(9) and ax.get_xscale() == "log"
    shown = table[table.index >= 20]
    for device, color in plots.device_colors(devices(9)).items():
        np.testing.assert_allclose(line(ax, device).get_ydata(), shown[device])
        assert to_rgb(line(ax, device).get_color()) == color
    np.testing.assert_allclose(ax.lines[0].get_xdata(), shown.index)


def test_device_spectra_many_devices_are_grey_but_those_highlighted():
    ax = plots.device_spectra(spectra(45), highlight=("device 07", "device 40"))
    assert legend(ax) == ["device 07", "device 40", "43 others"]
    assert len(ax.lines) == 45
    assert sum(to_rgb(drawn.get_color()) == to_rgb("0.75") for drawn in ax.lines) == 43
    assert legend(plots.device_spectra(spectra(45))) == ["45 devices"]
    with pytest.raises(ParameterError, match="'nobody'"):
        plots.device_spectra(spectra(9), highlight=("nobody",))


@pytest.mark.parametrize("n", [9, 45])
def test_feature_matrix_is_sorted_by_device(n):
    ax = plots.feature_matrix(*features(n))
    np.testing.assert_array_equal(ax.images[0].get_array()[:, 0], np.repeat(np.arange(n), 4))
    names = tick_names(ax.yaxis)
    assert len(names) <= 15 and names == devices(n)[:: 1 if n == 9 else 3]
    np.testing.assert_allclose(ax.get_yticks(), (4 * np.arange(n) + 1.5)[:: 1 if n == 9 else 3])


def test_feature_matrix_thins_out_many_segments_evenly():
    labels = np.repeat(devices(9), 1000)
    ax = plots.feature_matrix(np.zeros((9000, 5), np.float32), labels)
    assert len(ax.images[0].get_array()) == 1500
    with pytest.raises(ParameterError, match="10 labels"):
        plots.feature_matrix(np.zeros((9, 5)), labels[:10])


def test_log_scale_curves_end_at_one():
    ax = plots.log_scale(levels(2), scales={"published": 1.0, "default": 1774.0})
    for label, scale in {"published": 1.0, "default": 1774.0}.items():
        db, y = line(ax, label).get_data()
        feature = np.log(scale * 10 ** (db / 20) + 1)
        np.testing.assert_allclose(y, feature / feature[-1])
    spans = {patch.get_label(): (patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches}
    assert spans == {f"{device}, middle 90 %": pytest.approx(ends) for device, ends in levels(2).items()}


def test_log_scale_names_many_devices_in_strips():
    ax = plots.log_scale(levels(45), scales={"published": 1.0})
    assert len(ax.patches) == 45 and texts(ax) == devices(45)
    bottoms = [patch.get_y() for patch in ax.patches]
    assert (np.diff(bottoms) < -ax.patches[0].get_height()).all()  # no two overlap


@pytest.mark.parametrize("select_on, label", [("validation", "validation"), ("test", "test\n(as the authors did)")])
def test_learning_curve_marks_the_kept_epoch(select_on, label):
    axes = plots.learning_curve(history(select_on=select_on))
    for ax in axes:
        kept = [drawn for drawn in ax.lines if len(set(drawn.get_xdata())) == 1]
        assert [drawn.get_xdata()[0] for drawn in kept] == [15]
        assert texts(ax) == ["kept: epoch 15"]
    assert legend(axes[1])[0] == "training" and legend(axes[1])[1].startswith(label)
    np.testing.assert_allclose(axes[0].lines[0].get_ydata(), history()["loss"])
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), 100 * history()["accuracy"])


def test_learning_curve_draws_sparse_validations_as_points():
    sparse, dense = (plots.learning_curve(history(every=every))[0].lines[1] for every in (5, 1))
    np.testing.assert_array_equal(sparse.get_xdata(), [5, 10, 15, 20])
    np.testing.assert_allclose(sparse.get_ydata(), 1.1 / np.array([5, 10, 15, 20]))
    assert sparse.get_marker() == "o" and dense.get_marker() in ("", "None")


def test_learning_curve_of_lbfgs_has_no_validation():
    axes = plots.learning_curve(lbfgs_history())
    assert [len(ax.lines) for ax in axes] == [1, 1]
    assert legend(axes[1]) == ["training"] and axes[0].get_xlabel() == "iteration"


def test_learning_curve_of_one_epoch_is_visible():
    axes = plots.learning_curve(history(epochs=1, epoch=1))
    assert all(drawn.get_marker() == "o" for drawn in axes[0].lines[:2])


@pytest.mark.parametrize("n", [3, 20])
def test_accuracy_bars_show_every_number(n):
    rows = results(n)
    ax = plots.accuracy_bars(rows)
    np.testing.assert_allclose(widths(ax), 100 * rows["value"])
    interval, chance, paper = ax.collections
    np.testing.assert_allclose([path[:, 0] for path in interval.get_segments()], 100 * rows[["low", "high"]])
    np.testing.assert_allclose([path[:, 0] for path in chance.get_segments()], np.full((n, 2), 100 / 9))
    drawn = np.ma.filled(paper.get_offsets(), np.nan)
    np.testing.assert_allclose(drawn[~np.isnan(drawn[:, 0])], [[93, 0]])
    assert texts(ax) == [f"{100 * value:.1f}" for value in rows["value"]]
    assert ax.get_xlim() == (0, 100) and ax.yaxis_inverted()


def test_accuracy_bars_name_system_variant_and_unit():
    ax = plots.accuracy_bars(results(4))
    names = ["mlp-0 (wavelet), segment", "mlp-1, 3 voters", "mlp-2 (wavelet), recording", "mlp-3, excerpt"]
    assert tick_names(ax.yaxis) == names
    assert legend(ax) == ["segment", "votes", "recording", "excerpt", "95 % interval", "chance", "paper"]


def test_accuracy_bars_need_only_system_unit_and_value():
    ax = plots.accuracy_bars(results(4)[["system", "unit", "value"]])
    assert legend(ax) == ["segment", "votes", "recording", "excerpt"]


def test_vote_curve_is_in_percent():
    table = vote_table()
    ax = plots.vote_curve({"sum": table, "majority": vote_table(0.8)}, paper={3: 0.96, 4: 0.98})
    np.testing.assert_array_equal(line(ax, "sum").get_xdata(), table["voters"])
    np.testing.assert_allclose(line(ax, "sum").get_ydata(), 100 * table["value"])
    np.testing.assert_allclose(line(ax, "paper").get_xydata(), [[3, 96], [4, 98]])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([band.min(), band.max()], [100 * table["low"].min(), 100 * table["high"].max()])
    assert legend(ax) == ["sum", "majority", "paper", "chance: 11.1 % (below)"]
    assert ax.get_ylim()[0] > 50
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_vote_curve_draws_chance_where_it_is_in_view():
    ax = plots.vote_curve({"probe": vote_table().assign(value=0.12, low=0.05, high=0.3)})
    assert legend(ax) == ["probe", "chance: 11.1 %"]
    assert line(ax, "chance: 11.1 %").get_ydata()[0] == pytest.approx(100 / 9)


def test_vote_curve_of_errors():
    ax = plots.vote_curve({"sum": vote_table()}, paper={3: 0.96}, error=True)
    np.testing.assert_allclose(line(ax, "sum").get_ydata(), 100 - 100 * vote_table()["value"])
    np.testing.assert_allclose(line(ax, "paper").get_ydata(), [4])
    assert legend(ax)[-1] == "chance: 88.9 % (above)"


def test_vote_curve_of_many_voters_is_logarithmic():
    ax = plots.vote_curve({"sum": vote_table(voters=(1, 2, 5, 10, 20, 50))})
    assert ax.get_xscale() == "log" and {1, 5, 50} <= set(ax.get_xticks())


def test_confusion_matrix_writes_percent_and_leaves_zeros_blank():
    ax = plots.confusion_matrix(matrix(9))
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(written) == 81
    for row in range(9):
        expected = {row: "90", (row - 1) % 9: "10", (row - 2) % 9: "<1"}
        assert {column: written[column, row] for column in range(9) if written[column, row]} == expected
    np.testing.assert_allclose(ax.images[0].get_array(), 100 * matrix(9))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("decided device", "true device")
    assert tick_names(ax.xaxis) == tick_names(ax.yaxis) == devices(9)


def test_confusion_matrix_of_many_devices_has_names_only():
    ax = plots.confusion_matrix(matrix(45))
    assert not ax.texts
    assert tick_names(ax.xaxis) == tick_names(ax.yaxis) == devices(45)
    assert ax.get_aspect() in (1, "equal")


@pytest.mark.parametrize("n", [9, 45])
def test_tsne_colours_points_by_device(n):
    places, labels = points(n)
    ax = plots.tsne(places, labels, title="perplexity 30")
    for scatter, (device, color) in zip(ax.collections, plots.device_colors(devices(n)).items(), strict=True):
        np.testing.assert_allclose(scatter.get_offsets(), places[labels == device])
        assert to_rgb(scatter.get_facecolor()[0]) == pytest.approx(color)
    assert list(ax.get_xticks()) == list(ax.get_yticks()) == [] and ax.get_title() == "perplexity 30"


def test_tsne_names_few_devices_in_a_legend_and_many_in_place():
    few, many = plots.tsne(*points(9)), plots.tsne(*points(45))
    assert legend(few) == devices(9) and not few.texts
    assert many.get_legend() is None and texts(many) == devices(45)
    boxes = [text.get_window_extent() for text in many.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    unnamed = plots.tsne(*points(45), legend=False)
    assert unnamed.get_legend() is None and not unnamed.texts


def test_tsne_keeps_colours_when_a_device_is_absent():
    places, labels = points(9)
    chosen = labels != "device 00"
    ax = plots.tsne(places[chosen], labels[chosen], devices=devices(9))
    assert to_rgb(ax.collections[1].get_facecolor()[0]) == pytest.approx(plots.device_colors(devices(9))["device 01"])
    with pytest.raises(ParameterError, match="'device 00'"):
        plots.tsne(places, labels, devices=devices(9)[1:])
    with pytest.raises(ParameterError, match=r"\(90, 2\) do not fit 89"):
        plots.tsne(places, labels[1:])


def test_calibration_draws_percent_beside_the_diagonal():
    ax = plots.calibration({"segment": calibration_table()})
    np.testing.assert_allclose(line(ax, "segment").get_xydata(), [[30, 20], [60, 55], [95, 97]])
    np.testing.assert_allclose(line(ax, "calibrated").get_xydata(), [[0, 0], [100, 100]])
    sizes = ax.collections[0].get_sizes() - 15
    np.testing.assert_allclose(sizes / sizes[0], [1, 2, 17])


def test_filters_are_titled_with_their_frequency():
    axes = plots.filters(sines(4), samplerate=SAMPLERATE)
    titles = [float(ax.get_title().split()[0]) for ax in axes]
    np.testing.assert_allclose(titles, np.linspace(0.5, 7, 4), atol=0.05)
    np.testing.assert_allclose(axes[2].lines[0].get_ydata(), sines(4)[:, 0, 2])
    assert len(plots.filters(sines(100), samplerate=SAMPLERATE)) == 24
    with pytest.raises(ParameterError, match=r"\(65, 4\)"):
        plots.filters(sines(4)[:, 0], samplerate=SAMPLERATE)


def test_filter_spectra_are_sorted_by_frequency():
    shuffled = sines()[:, :, np.random.default_rng(0).permutation(10)]
    axes = plots.filter_spectra(shuffled, sines(), samplerate=SAMPLERATE)
    before, after = (ax.images[0].get_array() for ax in axes)
    np.testing.assert_allclose(before, after)
    peaks = after.argmax(axis=0) / (len(after) - 1) * 8
    np.testing.assert_allclose(peaks, np.linspace(0.5, 7, 10), atol=0.05)
    np.testing.assert_allclose(after.max(axis=0), 0, atol=1e-4)


def test_speed_bars_reach_from_one_to_the_value():
    ax = plots.speed_bars(ratios())
    np.testing.assert_allclose([bar.get_x() + bar.get_width() for bar in ax.patches], ratios()["value"])
    np.testing.assert_allclose([bar.get_x() for bar in ax.patches], 1)
    targets = [path[0] for path in ax.collections[0].get_segments() if len(path) and not np.isnan(path).any()]
    np.testing.assert_allclose(targets, [[6, -0.4], [10, 0.6]])
    assert ax.get_xscale() == "log" and ax.get_xlim()[0] < 0.4
    assert texts(ax) == ["7.5 times", "0.4 times", "870 times real\ntime"]
    with pytest.raises(ParameterError, match="value=-1"):
        plots.speed_bars(ratios().assign(value=-1.0))


def test_nothing_to_draw_is_refused():
    empty = pd.DataFrame()
    for name, call in {
        "steps": lambda: plots.flow([]),
        "layers": lambda: plots.network([]),
        "signals": lambda: plots.waveforms({}, samplerate=1),
        "details": lambda: plots.detail_coefficients([], []),
        "levels": lambda: plots.log_scale({}, scales={"a": 1.0}),
        "scales": lambda: plots.log_scale(levels(2), scales={}),
        "rows": lambda: plots.accuracy_bars(empty),
        "curves": lambda: plots.vote_curve({}),
        "curves\\['sum'\\]": lambda: plots.vote_curve({"sum": empty}),
        "matrix": lambda: plots.confusion_matrix(empty),
        "tables": lambda: plots.calibration({}),
        "ratios": lambda: plots.speed_bars(empty),
    }.items():
        with pytest.raises(ParameterError, match=f"^{name} is empty"):
            call()
    assert not plt.get_fignums()


def test_leaderboard_places_every_accuracy_and_interval():
    board = pd.DataFrame({"segment": [0.5, 0.4], "recording": [1.0, 0.8]}, index=["first", "second"])
    ax = plots.leaderboard(board, pd.DataFrame({"low": [0.9, 0.7], "high": [1.0, 0.9]}, index=board.index), chance=0.25)
    points = [part.get_offsets().tolist() for part in ax.collections[1:]]
    assert points == [[[50, 0], [40, 1]], [[100, 0], [80, 1]]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    spans = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(spans, [[90, 100], [70, 90]])
    with pytest.raises(ParameterError):
        plots.leaderboard(board.iloc[:0])


def test_curves_of_one_device_share_their_colour_and_legend():
    ax = plots.curves([[0, 1], [1, 2], [2, 3]], ["ash", "ash", "beech"])
    first, second, third = ax.get_lines()
    assert first.get_color() == second.get_color() != third.get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ash", "beech"]
    np.testing.assert_array_equal(third.get_ydata(), [2, 3])


def test_curves_stand_where_x_says():
    ax = plots.curves([[3, 4, 5]], ["ash"], x=np.array([0.5, 1.0, 1.5]))
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), [0.5, 1.0, 1.5])
    assert ax.get_xlim() == (0.5, 1.5)


def test_plane_draws_points_and_ellipses():
    ellipses = [(np.array([[1.0, 2.0]]), np.array([[0.5, 0.25]]))] * 2
    ax = plots.plane([np.eye(2), np.ones((3, 2))], ["ash", "ash"], ellipses=ellipses)
    assert legend(ax) == ["ash"]
    assert [len(part.get_offsets()) for part in ax.collections[::2]] == [2, 3]
    assert [(e.center, e.width, e.height) for e in ax.patches] == [((1.0, 2.0), 1.0, 0.5)] * 2
    with pytest.raises(ParameterError):
        plots.plane([], [])


def test_named_bars_highlight_what_they_are_told():
    ax = plots.named_bars([1, 3, 2], ["a", "b", "c"], highlight=["b"])
    assert [bar.get_height() for bar in ax.patches] == [1, 3, 2]
    colors = [bar.get_facecolor() for bar in ax.patches]
    assert colors[0] == colors[2] != colors[1] and tick_names(ax.xaxis) == ["a", "b", "c"]


def test_similarity_names_every_device_once_in_the_middle():
    ax = plots.similarity(np.eye(5), ["ash", "ash", "beech", "beech", "beech"])
    assert ax.get_xticks().tolist() == [0.5, 3.0] and tick_names(ax.yaxis) == ["ash", "beech"]
    np.testing.assert_array_equal(ax.images[0].get_array(), np.eye(5))
