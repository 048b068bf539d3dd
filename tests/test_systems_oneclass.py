"""[10]: one one-class classifier per device."""

import numpy as np
import pytest
from sklearn.svm import OneClassSVM
from test_systems_spectra import DEVICES, RATE, ShortExcerptWarning, check_system, devices_of, fitted, planted

from devid_lib.systems.oneclass import RepresentativeOneClass, acceptance, noise_spectra, representatives
from devid_lib.systems.spectra import MOST_SECONDS


def test_system():
    assert ShortExcerptWarning in check_system(RepresentativeOneClass())


def test_noise_spectrum_is_that_of_the_quiet_half():
    rng = np.random.default_rng(0)
    quiet, loud = 0.001 * rng.standard_normal(6 * RATE // 10), 0.5 * rng.standard_normal(4 * RATE // 10)
    both, alone = (noise_spectra(y, RATE)[0] for y in (np.append(loud, quiet), quiet))
    assert both.mean() == pytest.approx(alone.mean(), abs=0.5)
    assert noise_spectra(np.append(quiet, 1.5 * loud), RATE)[0].mean() == pytest.approx(both.mean(), abs=0.5)
    assert noise_spectra(np.append(loud, quiet)[: RATE // 2], RATE)[0].mean() > both.mean() + 3  # mostly loud


def test_one_spectrum_a_second():
    assert [len(noise_spectra(np.ones(int(s * RATE)), RATE)) for s in (0.2, 1, 3.9)] == [1, 1, 3]
    assert len(noise_spectra(np.ones((MOST_SECONDS + 5) * RATE), RATE)) == MOST_SECONDS


def test_representatives():
    x = np.array([[0.0, 0], [0, 2], [10, 0], [10, 2]])
    chosen = representatives(x, n_clusters=2, random_state=0)
    assert sorted(chosen.tolist()) == [[0, 1], [10, 1]]
    assert representatives(np.ones((5, 2)), n_clusters=3, random_state=0).tolist() == [[1, 1]]


def test_acceptance():
    x = np.random.default_rng(0).standard_normal((40, 2))
    machine = OneClassSVM(nu=0.1, gamma=0.5).fit(x)
    scores = acceptance(machine, x)
    assert np.array_equal(scores > 1e-9, machine.decision_function(x) > 1e-9)
    assert np.mean(scores > -1e-6) > 0.8
    assert np.isfinite(acceptance(machine, np.full((1, 2), 1e6))).all()


def test_a_stranger_is_accepted_by_no_machine():
    model = fitted(RepresentativeOneClass())
    excerpts = [planted(("clip3",), devices=devices) for devices in (DEVICES, ("walnut",))]
    own, strange = (model.scaler_.transform(np.concatenate(model._instances(e))) for e in excerpts)
    assert max(acceptance(m, strange).max() for m in model.machines_) < min(
        acceptance(m, own[2 * k : 2 * k + 2]).min() for k, m in enumerate(model.machines_)
    )


def test_machines_see_their_own_device_only():
    train = planted()
    model = fitted(RepresentativeOneClass())
    other = RepresentativeOneClass().fit(train, [{"cedar": "zebrano"}.get(d, d) for d in devices_of(train)])
    for k in range(2):
        assert np.array_equal(model.machines_[k].support_vectors_, other.machines_[k].support_vectors_)
