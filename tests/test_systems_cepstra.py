"""Mixtures and adaptation against hand-worked cases, and the systems on planted devices."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from devid_lib.errors import ParameterError
from devid_lib.soundfield import speech
from devid_lib.systems import cepstra
from devid_lib.systems.cepstra import AdaptedMixtures, CepstralStatistics, Mixture, RecordingMixture
from devid_lib.systems.channel import BlindChannel
from devid_lib.systems.excerpts import Excerpt
from devid_lib.systems.warnings import DevidWarning, FewFramesWarning, ShortExcerptWarning, SingularCovarianceWarning

RATE = 16000
DEVICES = ("ash", "beech", "cedar")
COLOURS = ([1.0, 0.0, 0.0], [1.0, -0.9, 0.0], [1.0, 0.0, 0.9])
SYSTEMS = [
    RecordingMixture(n_components=2),
    AdaptedMixtures(n_components=8),
    AdaptedMixtures(feature="pncc", n_components=8),
    CepstralStatistics(feature="gtcc"),
    CepstralStatistics(feature="mfcc", classifier="knn"),
]


def planted(*recordings, seconds=6.0):
    """Return one excerpt for each recording and device: all hear the same, each through a colour of its own."""
    excerpts = []
    for recording in recordings:
        said = speech(int(seconds * RATE), rng=np.random.default_rng(int(recording)), samplerate=RATE)
        for i, device in enumerate(DEVICES):
            noise = np.random.default_rng([i, int(recording)]).standard_normal(len(said))
            y = np.convolve(said + 1e-3 * noise, COLOURS[i], mode="same")
            excerpts.append(Excerpt(y.astype(np.float32), RATE, device, recording))
    return excerpts


def devices_of(excerpts):
    return [excerpt.device for excerpt in excerpts]


def check_system(system):
    """Check what every system has to do: see the names of the asserts."""
    train, test = planted("1", "2"), planted("3", "4")
    system = clone(system).fit(train, devices_of(train))
    assert system.predict(test).tolist() == devices_of(test), "planted devices are told apart"
    rng = np.random.default_rng(0)
    y = test[0].y
    odd = [y[: int(0.128 * RATE)], y[:RATE], 0 * y, y[:50], y[:0], np.sign(y), 1e-6 * rng.standard_normal(RATE)]
    odd = [Excerpt(np.asarray(part, np.float32), RATE) for part in odd]
    with pytest.warns(ShortExcerptWarning):
        proba = system.predict_proba(odd)
    assert proba.shape == (len(odd), 3) and np.isfinite(proba).all() and (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    again = clone(system).fit(planted("1", "2"), devices_of(train))
    np.testing.assert_array_equal(again.predict_proba(odd), proba, err_msg="one seed, one result")
    stored = pickle.dumps(system)
    assert b"Excerpt" not in stored, "a fitted system holds no excerpts"
    np.testing.assert_array_equal(pickle.loads(stored).predict_proba(odd), proba)
    with pytest.raises(ParameterError, match="sample rates"):
        system.predict_proba([Excerpt(y, RATE // 2)])
    silent = [Excerpt(np.zeros(RATE, np.float32), RATE) for _ in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DevidWarning)  # nothing but named warnings
        proba = clone(system).fit(silent, ["a", "a", "b", "b"]).predict_proba(silent + odd)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@pytest.mark.parametrize("system", SYSTEMS, ids=repr)
def test_system(system):
    check_system(system)


def mixture(means, variances, weights=None):
    means, variances = np.array(means, float), np.array(variances, float)
    weights = np.full(len(means), 1 / len(means)) if weights is None else np.array(weights)
    return Mixture(weights, means, variances, np.zeros(means.shape[1]), np.ones(means.shape[1]))


# --- Gaussian mixtures -----------------------------------------------------------------------------------------------
def test_log_joint_is_weight_times_density():
    model = mixture([[0.0, 1.0], [2.0, -1.0]], [[1.0, 4.0], [0.25, 2.0]], [0.3, 0.7])
    x = np.random.default_rng(0).standard_normal((5, 2))
    for k in range(2):
        expected = np.log(model.weights[k]) + multivariate_normal(model.means[k], np.diag(model.variances[k])).logpdf(x)
        np.testing.assert_allclose(cepstra.log_joint(model, x)[:, k], expected)


def test_map_adaptation_by_hand():
    """One component N(0, 1), frames 1 and 3, relevance 2: half background, half data."""
    model = mixture([[0.0]], [[1.0]])
    counts, first, second = cepstra.statistics(model, np.array([[1.0], [3.0]]))
    assert (counts[0], first[0, 0], second[0, 0]) == pytest.approx((2.0, 4.0, 10.0))
    adapted = cepstra.map_adapt(model, counts, first, second, relevance=2.0)
    assert adapted.means[0, 0] == pytest.approx(0.5 * 2 + 0.5 * 0)
    assert adapted.variances[0, 0] == pytest.approx(0.5 * 5 + 0.5 * (1 + 0) - 1**2)
    only_means = cepstra.map_adapt(model, counts, first, relevance=2.0)
    assert only_means.means[0, 0] == pytest.approx(1.0) and only_means.variances[0, 0] == 1.0


def test_map_adaptation_of_two_components_by_hand():
    """Components at 0 and 100: 16 frames at 1 belong to the first, which goes half way; the second has none."""
    model = mixture([[0.0], [100.0]], [[1.0], [1.0]])
    adapted = cepstra.map_adapt(model, *cepstra.statistics(model, np.ones((16, 1))))
    assert adapted.means[:, 0] == pytest.approx([0.5, 100.0])
    assert adapted.variances[:, 0] == pytest.approx([0.5 * 1 + 0.5 * 1 - 0.25, 1.0])
    assert adapted.weights == pytest.approx([0.6, 0.4])  # 0.5 * 1 + 0.5 * 0.5 and 0.5, scaled to sum one


def test_adaptation_without_relevance_is_a_step_of_expectation_maximisation():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-1, 1, (200, 2)), rng.normal(2, 0.5, (100, 2))])
    model = mixture([[-1.0, -1.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]])
    posteriors = np.exp(cepstra.log_joint(model, x))
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    reference = GaussianMixture(2, covariance_type="diag", reg_covar=0.0)
    reference._initialize(x, posteriors)  # its maximisation step
    ours = cepstra.map_adapt(model, *cepstra.statistics(model, x), relevance=0.0)
    np.testing.assert_allclose(ours.means, reference.means_, rtol=1e-6)
    np.testing.assert_allclose(ours.variances, reference.covariances_, rtol=1e-6)
    np.testing.assert_allclose(ours.weights, reference.weights_, rtol=1e-6)


def test_background_model_finds_planted_components_in_raw_units():
    rng = np.random.default_rng(0)
    frames = [1000 + 50 * np.concatenate([rng.normal(-3, 1, (300, 1)), rng.normal(3, 1, (300, 1))]) for _ in range(3)]
    model = cepstra.fit_background(frames, n_components=2, random_state=0)
    centres = np.sort((model.means * model.scale + model.centre)[:, 0])
    assert centres == pytest.approx([850, 1150], abs=10)


def test_background_model_draws_the_same_from_short_and_long(monkeypatch):
    monkeypatch.setattr(cepstra, "BACKGROUND_FRAMES", 20)
    frames = [np.full((10, 1), 0.0) + np.arange(10)[:, None] / 100, 1000 + np.random.default_rng(0).random((5000, 1))]
    model = cepstra.fit_background(frames, n_components=1, random_state=0)
    assert model.centre[0] == pytest.approx(500, abs=1)


def test_too_few_frames_for_the_background_are_named():
    with pytest.warns(FewFramesWarning, match="3 different"):
        model = cepstra.fit_background([np.arange(3.0)[:, None]], n_components=8, random_state=0)
    assert len(model.weights) == 3


def test_frames_that_are_all_alike_have_no_negative_variance():
    x = np.zeros((20_000, 5))
    for i, value in enumerate(np.random.default_rng(11).normal(size=(3, 5))):
        x[11 * i : 11 * (i + 1)] = 3 * value
    with pytest.warns(SingularCovarianceWarning, match="of 20 variances"):
        model = cepstra.fit_background([x], n_components=4, random_state=0)
    assert np.isfinite(model.means).all() and (model.variances == cepstra.VARIANCE_FLOOR).all()


def test_a_singular_covariance_is_named_and_floored():
    x = np.random.default_rng(0).standard_normal((100, 2))
    with pytest.warns(SingularCovarianceWarning, match="1 of 2 features"):
        cepstra.fit_background([x * [1.0, 0.0]], n_components=2, random_state=0)
    spikes = np.repeat([[-1.0], [1.0]], 50, axis=0) + 1e-4 * x[:, :1]
    with pytest.warns(SingularCovarianceWarning, match="2 of 2 variances"):
        model = cepstra.fit_background([spikes], n_components=2, random_state=0)
    assert model.variances == pytest.approx(np.full((2, 1), cepstra.VARIANCE_FLOOR))


def test_likelihood_ratio_is_the_mean_difference_of_log_likelihoods():
    rng = np.random.default_rng(0)
    background = mixture(rng.standard_normal((4, 3)), rng.uniform(0.5, 2, (4, 3)), [0.1, 0.2, 0.3, 0.4])
    means = background.means + rng.standard_normal((2, 4, 3))
    x = rng.standard_normal((3000, 3)).astype(np.float32)
    likelihood = lambda m: np.logaddexp.reduce(cepstra.log_joint(m, x.astype(float)), axis=1).mean()  # noqa: E731
    expected = [likelihood(cepstra.replace(background, means=m)) - likelihood(background) for m in means]
    np.testing.assert_allclose(cepstra.likelihood_ratios(background, means, x), expected, atol=1e-4)


# --- Systems ---------------------------------------------------------------------------------------------------------
def test_templates_have_their_components_in_the_background_order():
    rng = np.random.default_rng(0)
    background = mixture([[-5.0], [5.0]], [[1.0], [1.0]])
    x = np.concatenate([rng.normal(4, 0.5, (500, 1)), rng.normal(-6, 2, (500, 1))])
    expected = [-6.0, 4.0, 4.0, 0.25]
    np.testing.assert_allclose(cepstra.template(background, x, n_steps=5), expected, atol=0.6)
    np.testing.assert_allclose(cepstra.template(background, x[::-1], n_steps=5), expected, atol=0.6)
    lonely = [-5.0, x[0, 0], 1.0, cepstra.VARIANCE_FLOOR]  # the first has no frame near: as in the background
    np.testing.assert_allclose(cepstra.template(background, x[:1], n_steps=2), lonely, rtol=1e-6)


def test_devices_are_adapted_from_all_of_their_frames():
    train = planted("1", "2", seconds=2.0)
    system = AdaptedMixtures(n_components=4, relevance=30.0).fit(train, devices_of(train))
    x = np.concatenate([cepstra.cepstra(excerpt) for excerpt in train if excerpt.device == "beech"])
    counts, first, _ = cepstra.statistics(system.background_, system.background_.standardised(x))
    share = (counts / (counts + 30))[:, None]
    expected = share * first / counts[:, None] + (1 - share) * system.background_.means
    np.testing.assert_allclose(system.means_[1], expected, rtol=1e-6)


def test_cepstral_statistics_are_mean_and_deviation_of_pieces():
    excerpt = planted("1", seconds=3.0)[0]
    system = CepstralStatistics(feature="mfcc", piece_s=0.5)
    x = cepstra.cepstra(excerpt)
    assert x.shape == (299, 23)
    vectors = system.vectors([excerpt])[0]
    assert vectors.shape == (5, 46)
    np.testing.assert_allclose(vectors[0], np.append(x[:60].mean(axis=0), x[:60].std(axis=0)), rtol=1e-5)


def test_pieces_have_one_length_and_are_not_too_many():
    x = np.arange(1000)[:, None]
    assert [len(p) for p in cepstra.cut_pieces(x[:150], length=100)] == [150]
    assert [len(p) for p in cepstra.cut_pieces(x, length=300)] == [334, 333, 333]
    many = cepstra.cut_pieces(x, length=10)
    assert [len(p) for p in many] == [10] * cepstra.MOST_PIECES and many[0][0, 0] == 0 and many[-1][-1, 0] == 999
    assert len(cepstra.cut_pieces(x[:1], length=10)) == 1


def test_features_are_shared_and_cut():
    excerpt = planted("1")[0]
    full = cepstra.cepstra(excerpt)
    assert len(excerpt.kept) == 1 and full.shape[1] == 23
    np.testing.assert_array_equal(cepstra.cepstra(excerpt, n_coefficients=7), full[:, :7])
    assert len(excerpt.kept) == 1


@pytest.mark.parametrize("system", [RecordingMixture(frames_each=1), AdaptedMixtures(n_components=64)], ids=repr)
def test_few_frames_are_named(system):
    train = planted("1", "2", seconds=0.2)  # 38 frames a device
    with pytest.warns(FewFramesWarning):
        system = clone(system).fit(train, devices_of(train))
        proba = system.predict_proba(planted("3", seconds=0.05))
    assert np.isfinite(proba).all()


def test_the_default_number_of_steps_and_the_seed_matter():
    train, test = planted("1", "2"), planted("3")
    proba = [RecordingMixture(n_components=2, n_steps=n).fit(train, devices_of(train)).predict_proba(test)
             for n in (1, 5)]  # fmt: skip
    assert not np.allclose(*proba, atol=1e-6)


@pytest.mark.parametrize("system", [AdaptedMixtures(feature="nothing"), CepstralStatistics(classifier="tree"),
                                    BlindChannel(n_coefficients=24)], ids=repr)  # fmt: skip
def test_unknown_names_are_refused(system):
    with pytest.raises(ParameterError):
        system.fit(planted("1"), DEVICES)


def test_one_device_is_refused_by_a_support_vector_machine():
    with pytest.raises(ParameterError, match="two devices"):
        RecordingMixture().fit(planted("1")[:1], ["ash"])
