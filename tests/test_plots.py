"""plots: what is drawn is what came in, for few and for many devices and for any names, and nothing else is touched."""

import warnings
import zlib
from inspect import signature

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from skimage.color import rgb2lab

from devid_lib import plots
from devid_lib.evaluation import predictions_table

ODD = ["_x", r"$\foo$", "average", "n" * 150 + "z" * 150, "华为荣耀8录音机", "هاتف", "😀", "50% & <b>_^{2}", r"a\$b$"]


@pytest.fixture(autouse=True)
def own_figures():
    """Set the style, then close the figures of a test and restore the settings."""
    with matplotlib.rc_context():
        plots.set_style()
        yield
    plt.close("all")


def devices(n):
    return [f"device {i:03d}" for i in range(n)]


def spectra(names):
    frequency = np.fft.rfftfreq(512, 1 / 16000)
    values = np.random.default_rng(2).normal(-40, 5, (len(frequency), len(names)))
    return pd.DataFrame(values, index=frequency, columns=names)


def predictions(names, *, right=270, near=29, far=1):
    """Decisions of every device: so many for itself, for the next device, and for the one after that."""
    n = len(names)
    steps = np.repeat([0, 1, 2], [right, near, far])
    truth = np.repeat(np.arange(n), len(steps))
    segments = {"device": np.array(names, object)[truth], "recording": "clip3", "draw": 0, "start": 0}
    return predictions_table(np.eye(n)[(truth + np.tile(steps, n)) % n], pd.DataFrame(segments), names)


def places(names):
    centres = np.random.default_rng(3).normal(0, 10, (len(names), 2))
    xy = np.repeat(centres, 10, axis=0) + np.random.default_rng(4).normal(size=(10 * len(names), 2))
    return xy, np.repeat(np.array(names, object), 10)


def results(n=4):
    table = pd.DataFrame({"system": [f"mlp-{i}" for i in range(n)], "value": np.linspace(0.5, 1, n), "chance": 1 / 9})
    table["variant"] = (["wavelet", "", None, "none"] * n)[:n]
    table["unit"] = (["segment", "vote3", "recording", "excerpt"] * n)[:n]
    paper = pd.array([0.93] + [pd.NA] * (n - 1), "Float64")
    return table.assign(low=table["value"] - 0.1, high=np.linspace(0.6, 1, n), paper=paper)


def history(*, every=1, select_on="validation"):
    steps = np.arange(1, 21)
    table = pd.DataFrame({"epoch": steps, "loss": 1 / steps, "accuracy": 1 - 0.8 / steps})
    table.loc[every - 1 :: every, "val_loss"] = 1.1 / steps[every - 1 :: every]
    table.loc[every - 1 :: every, "val_accuracy"] = 0.9 - 0.8 / steps[every - 1 :: every]
    table.attrs |= {"epoch": 15, "select_on": select_on}
    return table


def vote_table(value=0.9, voters=(1, 2, 3, 5)):
    k = np.array(voters)
    up = value + (1 - value) * (1 - 1 / k)
    return pd.DataFrame({"voters": k, "value": up, "low": up - 0.05, "high": up, "n": 100, "chance": 1 / 9})


CALIBRATION = pd.DataFrame({"confidence": [0.3, 0.6, 0.95], "accuracy": [0.2, 0.55, 0.97], "n": [10, 20, 170]})
RATIOS = [-0.5, 2, 4, np.inf], [-np.inf, -1, 0, 1]  # of pairs of one device, of two
LAYERS = [("spectrum", 1025), ("tanh", 500), ("tanh", 100), ("joined", 200), ("devices", 9)]
FIGURES = {
    "network": lambda names: plots.network([*LAYERS[:-1], ("devices", len(names))]),
    "device_spectra": lambda names, **k: plots.device_spectra(spectra(names), highlight=names[:5], **k),
    "curves": lambda names, **k: plots.curves(np.zeros((9, 5)), names[:9], x=np.arange(5), **k),
    "plane": lambda names, **k: plots.plane([np.eye(2)] * 9, names[:9], **k),
    "learning_curve": lambda names: plots.learning_curve(history()),
    "accuracy_bars": lambda names: plots.accuracy_bars(results(9).assign(system=names[:9])),
    "vote_curve": lambda names: plots.vote_curve({name: vote_table() for name in names[:9]}),
    "confusion_matrix": lambda names: plots.confusion_matrix(predictions(names)),
    "points": lambda names, **k: plots.points(*places(names), **k),
    "calibration": lambda names: plots.calibration({name: CALIBRATION for name in names[:9]}),
    "tippett": lambda names, **k: plots.tippett(*RATIOS, **k),
    "pav": lambda names, **k: plots.pav(*RATIOS, **k),
}


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, name):
    return next(line for line in ax.lines if line.get_label() == name)


def ticks(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def inside(figure):
    """Return whether all that is drawn lies within the figure, so that nothing is clipped."""
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()  # [inch]
    return drawn.min.min() > -0.02 and (drawn.max < figure.get_size_inches() + 0.02).all()


@pytest.mark.parametrize("names", [ODD, devices(45)], ids=["odd", "45"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_whole_and_touches_nothing_else(name, names):
    other, settings = plt.figure(), dict(plt.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # of fonts that this machine may lack
        drawn = FIGURES[name](names)
        assert inside(np.ravel(drawn)[0].figure)
    assert [type(ax) for ax in np.ravel(drawn)] == [Axes] * (1 + (name == "learning_curve"))
    assert dict(plt.rcParams) == settings
    assert plt.fignum_exists(other.number) and len(plt.get_fignums()) == 2


@pytest.mark.parametrize("name", ["device_spectra", "confusion_matrix", "points"])
def test_two_hundred_devices_stay_readable(name):
    ax = FIGURES[name](devices(200))
    assert inside(ax.figure) and (ax.figure.get_size_inches() < 13).all()
    for words in (ax.texts, ax.get_xticklabels(), ax.get_yticklabels()):
        words = [text for text in words if text.get_text()]
        boxes = [text.get_window_extent() for text in words]
        assert all(text.get_fontsize() >= 6 for text in words)
        assert not any(box.count_overlaps(boxes[:i]) for i, box in enumerate(boxes))
    assert ax.get_legend() is None or len(legend(ax)) <= 16


@pytest.mark.parametrize("name", [name for name in FIGURES if "ax" in signature(getattr(plots, name)).parameters])
def test_draws_on_the_axes_it_is_given(name):
    given = plt.subplots()[1]
    assert FIGURES[name](devices(13), ax=given) is given
    assert len(plt.get_fignums()) == 1 and given.has_data()


def test_every_public_function_is_tested():
    own = {name for name, thing in vars(plots).items() if getattr(thing, "__module__", "") == plots.__name__}
    assert {name for name in own if not name.startswith("_")} - set(FIGURES) == {"set_style", "device_colors", "label"}


def test_set_style_makes_svg_reproducible_and_asks_only_installed_fonts(tmp_path):
    sums = set()
    for name in ("a.svg", "b.svg"):
        plots.calibration({"segment": CALIBRATION}).figure.savefig(tmp_path / name, metadata={"Date": None})
        sums.add(zlib.crc32((tmp_path / name).read_bytes()))
    assert plt.rcParams["svg.hashsalt"] and len(sums) == 1
    assert {"DejaVu Sans"} <= set(plt.rcParams["font.family"][1:]) <= set(matplotlib.font_manager.get_font_names())


@pytest.mark.parametrize("name", ODD)
def test_label_is_drawn_as_it_stands_and_kept_in_legends(name):
    ax = plt.subplots()[1]
    ax.plot([0, 1], label=plots.label(name))
    text, is_formula = ax.legend().get_texts()[0]._preprocess_math(plots.label(name))
    assert not is_formula
    assert text.lstrip("\u200b") == name if len(name) < 100 else text == 14 * "n" + "…" + 14 * "z"
    assert plots.label("录" * 40 + "\n") == "录" * 7 + "…" + "录" * 7


def test_label_says_once_that_no_font_has_a_character(capsys):
    with warnings.catch_warnings():
        plt.rcParams["font.family"] = ["DejaVu Sans"]
        plots._print_once.cache_clear()
        assert [plots.label(name) for name in ("录音机", "电话", "naïve")] == ["录音机", "电话", "naïve"]
    assert capsys.readouterr().out.count("No installed font") == 1


@pytest.mark.parametrize("n", [2, 9, 10, 11, 45, 200])
def test_device_colors_differ_and_belong_to_the_place(n):
    colors = plots.device_colors(devices(n))
    assert list(colors) == devices(n)
    assert colors == plots.device_colors(tuple(devices(n))) == dict(list(plots.device_colors(devices(201)).items())[:n])
    lab = rgb2lab(np.array(list(colors.values())))
    distance = np.linalg.norm(lab[:, None] - lab, axis=2) + 1000 * np.eye(n)
    assert distance.min() > {2: 50, 200: 9}.get(n, 18)
    assert lab[:, 0].max() < 92  # of white, which is 100


def test_network_heights_are_logarithmic_and_branches_merge_before_the_last_two():
    ax = plots.network([("in", 999), ("hidden", 99), ("out", 9)])
    heights = np.array([box.get_height() for box in ax.patches])
    np.testing.assert_allclose(heights / heights[0], [1, 2 / 3, 1 / 3])
    assert {"999", "99", "9", "in", "hidden", "out"} <= set(texts(ax))
    ax = plots.network(LAYERS, branches=2)
    assert len(ax.patches) == 2 * 3 + 2
    assert len([text for text in ax.texts if getattr(text, "arrow_patch", None)]) == 2 * 2 + 2 + 1


def test_device_spectra_few_devices_are_all_coloured():
    table = spectra(devices(9))
    ax = plots.device_spectra(table)
    assert legend(ax) == devices(9) and ax.get_xlim() == (0, 8000)
    for device, color in plots.device_colors(devices(9)).items():
        np.testing.assert_allclose(line(ax, device).get_xydata(), np.stack([table.index, table[device]], axis=1))
        assert to_rgb(line(ax, device).get_color()) == color


def test_device_spectra_many_devices_are_grey_but_those_highlighted():
    ax = plots.device_spectra(spectra(devices(45)), highlight=("device 007", "device 040"))
    assert legend(ax) == ["device 007", "device 040", "43 others"]
    assert line(ax, "device 040").get_color() == plots.device_colors(devices(45))["device 040"]
    assert sum(to_rgb(drawn.get_color()) == to_rgb("0.75") for drawn in ax.lines) == 43
    assert legend(plots.device_spectra(spectra(devices(45)))) == ["45 devices"]


def test_curves_and_points_of_one_device_share_their_colour_and_legend():
    ax = plots.curves([[0, 1], [1, 2], [2, 3]], ["ash", "ash", "beech"], x=np.array([0.5, 1.5]))
    first, second, third = ax.lines
    assert first.get_color() == second.get_color() != third.get_color()
    np.testing.assert_array_equal(third.get_xydata(), [[0.5, 2], [1.5, 3]])
    assert legend(ax) == ["ash", "beech"] and ax.get_xlim() == (0.5, 1.5)
    ellipses = [(np.array([[1.0, 2.0]]), np.array([[0.5, 0.25]]))] * 2
    ax = plots.plane([np.eye(2), np.ones((3, 2))], ["ash", "ash"], ellipses=ellipses)
    assert [len(part.get_offsets()) for part in ax.collections] == [2, 3] and legend(ax) == ["ash"]
    assert [(e.center, e.width, e.height) for e in ax.patches] == [((1.0, 2.0), 1.0, 0.5)] * 2


@pytest.mark.parametrize("select_on, name", [("validation", "validation"), ("test", "test\n(as the authors did)")])
def test_learning_curve_marks_the_kept_epoch_and_skips_epochs_not_judged(select_on, name):
    axes = plots.learning_curve(history(select_on=select_on, every=5))
    assert legend(axes[1])[0] == "training" and legend(axes[1])[1].startswith(name)
    assert [set(ax.lines[2].get_xdata()) for ax in axes] == [{15}, {15}] and legend(axes[1])[2] == "kept: epoch 15"
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), 100 * history()["accuracy"])
    np.testing.assert_allclose(axes[0].lines[1].get_xydata(), [[k, 1.1 / k] for k in (5, 10, 15, 20)])


def test_learning_curve_of_lbfgs_has_no_validation():
    table = history()[["epoch", "loss", "accuracy"]]
    table.attrs = {"epoch": 20, "select_on": "nothing"}
    axes = plots.learning_curve(table)
    assert [len(ax.lines) for ax in axes] == [1, 1]
    assert legend(axes[1]) == ["training"] and axes[0].get_xlabel() == "iteration"


def test_accuracy_bars_show_every_number():
    rows = results(20)
    ax = plots.accuracy_bars(rows)
    bars = sorted(ax.patches, key=lambda bar: bar.get_y())
    np.testing.assert_allclose([bar.get_width() for bar in bars], 100 * rows["value"])
    interval, chance, paper = ax.collections
    np.testing.assert_allclose([path[:, 0] for path in interval.get_segments()], 100 * rows[["low", "high"]])
    np.testing.assert_allclose([path[:, 0] for path in chance.get_segments()], np.full((20, 2), 100 / 9))
    assert np.ma.filled(paper.get_offsets(), np.nan)[0].tolist() == [93, 0]
    assert texts(ax) == [f"{100 * value:.1f}" for value in rows["value"]]
    assert ax.get_xlim() == (0, 100) and ax.yaxis_inverted()


def test_accuracy_bars_name_what_is_there():
    ax, kinds = plots.accuracy_bars(results(4)), ["segment", "votes", "recording", "excerpt"]
    names = ["mlp-0 (wavelet), segment", "mlp-1, 3 voters", "mlp-2, recording", "mlp-3 (none), excerpt"]
    assert ticks(ax.yaxis) == names and legend(ax) == ["95 % interval", "chance", "paper", *kinds]
    assert legend(plots.accuracy_bars(results(4)[["system", "unit", "value"]])) == kinds


def test_vote_curve_is_in_percent_and_names_chance():
    table = vote_table()
    ax = plots.vote_curve({"sum": table, "majority": vote_table(0.8)}, paper={3: 0.96, 4: 0.98})
    np.testing.assert_allclose(line(ax, "sum").get_xydata(), table[["voters", "value"]] * [1, 100])
    np.testing.assert_allclose(line(ax, "paper").get_xydata(), [[3, 96], [4, 98]])
    dotted = [one.get_ydata() for one in ax.lines if one.get_linestyle() == ":"][:2]
    np.testing.assert_allclose(dotted, 100 * table[["low", "high"]].to_numpy().T)
    assert legend(ax) == ["sum", "majority", "paper", "chance: 11.1 % (below)"]
    assert ax.get_ylim()[0] > 50 and all(float(tick).is_integer() for tick in ax.get_xticks())
    many = plots.vote_curve({"sum": vote_table(voters=(1, 2, 5, 10, 20, 50))})
    assert many.get_xscale() == "log" and {1, 5, 50} <= set(many.get_xticks())


def test_confusion_matrix_writes_percent_and_leaves_zeros_blank():
    ax = plots.confusion_matrix(predictions(devices(9)))
    written = {text.get_position(): text.get_text() for text in ax.texts}
    for row in range(9):
        expected = {row: "90", (row + 1) % 9: "9.7", (row + 2) % 9: "0.3"}
        assert {column: written[column, row] for column in range(9) if written[column, row]} == expected
    np.testing.assert_allclose(ax.images[0].get_array().sum(axis=1), 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("decided device", "true device")
    assert "[%]" in ax.images[0].colorbar.ax.get_ylabel()


@pytest.mark.parametrize("n, step", [(2, 1), (45, 1), (200, 4)])
def test_confusion_matrix_names_what_fits(n, step):
    ax = plots.confusion_matrix(predictions(devices(n), right=9, near=1, far=0))
    assert bool(ax.texts) == (n < 20)
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == devices(n)[::step]
    boxes = [text.get_window_extent() for text in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))
    few_percent = ax.images[0].to_rgba(np.array([[0.0, 0.03]]))[0, :, :3]
    assert np.linalg.norm(np.diff(rgb2lab(few_percent), axis=0)) > 5


@pytest.mark.parametrize("n", [9, 45])
def test_points_are_coloured_by_device_and_keep_colours_when_one_is_absent(n):
    xy, labels = places(devices(n))
    there = labels != "device 003"
    ax = plots.points(xy[there], labels[there], devices=devices(n), title="perplexity 30")
    for scatter, (device, color) in zip(ax.collections, plots.device_colors(devices(n)).items(), strict=True):
        np.testing.assert_allclose(scatter.get_offsets(), xy[there & (labels == device)])
        assert to_rgb(scatter.get_facecolor()[0]) == pytest.approx(color)
    assert list(ax.get_xticks()) == list(ax.get_yticks()) == [] and ax.get_title() == "perplexity 30"


def test_points_name_few_devices_in_a_legend_and_many_in_place():
    few, many = plots.points(*places(ODD)), plots.points(*places(devices(45)))
    assert legend(few) == [plots.label(name) for name in sorted(ODD)] and not few.texts
    assert many.get_legend() is None and texts(many) == devices(45)
    boxes = [text.get_window_extent() for text in many.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    unnamed = plots.points(*places(devices(45)), legend=False)
    assert unnamed.get_legend() is None and not unnamed.texts


def test_calibration_draws_percent_beside_the_diagonal():
    ax = plots.calibration({"segment": CALIBRATION})
    np.testing.assert_allclose(line(ax, "segment").get_xydata(), [[30, 20], [60, 55], [95, 97]])
    np.testing.assert_allclose(line(ax, "calibrated").get_xydata(), [[0, 0], [100, 100]])
    sizes = ax.collections[0].get_sizes() - 15
    np.testing.assert_allclose(sizes / sizes[0], [1, 2, 17])


def test_tippett_draws_the_share_at_and_above_each_ratio():
    ax = plots.tippett(*RATIOS)
    for name, x, shares in (("same device", [-4, -0.4, 1, 3, 4.2], [100, 75, 75, 50, 25]),
                            ("different devices", [-4, -0.5, 0.5, 1.1], [75, 50, 25, 0])):
        places, drawn = line(ax, name).get_data()
        assert [drawn[np.searchsorted(places, place)] for place in x] == shares  # a step ends at its ratio
    assert ax.get_xlim() == pytest.approx((-4.4, 4.4))


def test_pav_puts_every_pair_where_calibration_has_it():
    drawn = {dots.get_label(): np.asarray(dots.get_offsets()).tolist() for dots in plots.pav(*RATIOS).collections}
    assert drawn["same device"][1:] == [[2, 4.4], [4, 4.4], [4.4, 4.4]]
    assert drawn["different devices"][:2] == [[-4.4, -4.4], [-1, -4.4]]
    pooled = [drawn["same device"][0][1], *(y for _, y in drawn["different devices"][2:])]
    assert pooled == pytest.approx([np.log10(1 / 2)] * 3)  # a quarter of the ones to half of the others
