"""The table of parameters: what is allowed, what the size says, what is refused and how."""

from pathlib import Path

import pytest

from devid_lib.errors import ParameterError
from devid_lib.workbook.parameters import (
    PARAMETERS,
    SIZES,
    check_names,
    check_params,
    described,
    differing,
    parsed,
)


def test_defaults_are_allowed_and_the_size_fills_in():
    params = check_params({})
    assert params["size"] == "quick"
    assert params.items() >= SIZES["quick"].items()
    others = {name: parameter.default for name, parameter in PARAMETERS.items() if name not in SIZES["quick"]}
    assert params.items() >= others.items()
    paper = check_params({"size": "paper", "test_segments": 7})
    assert (paper["recording_minutes"], paper["train_segments"], paper["test_segments"]) == (6.5, 1000, 7)


def test_every_choice_is_allowed():
    for name, parameter in PARAMETERS.items():
        for value in parameter.allowed if isinstance(parameter.allowed, tuple) else ():
            assert check_params({name: value})[name] == value


@pytest.mark.parametrize(("name", "smallest"), [("seed", 0), ("segment_length", 64), ("epochs", 0), ("voters", 1)])
def test_smallest_value_is_allowed_and_nothing_below(name, smallest):
    assert check_params({name: smallest})[name] == smallest
    with pytest.raises(ParameterError, match=f"^{name}={smallest - 1} is below {smallest}$"):
        check_params({name: smallest - 1})


def test_whole_numbers_serve_as_fractions():
    minutes = check_params({"recording_minutes": 2})["recording_minutes"]
    assert (minutes, type(minutes)) == (2.0, float)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", "5", "epochs='5' is not a whole number"),  # papermill -r passes text
        ("epochs", 5.0, "epochs=5.0 is not a whole number"),
        ("epochs", True, "epochs=True is not a whole number"),
        ("corpus", None, "corpus=None is not text"),
        ("corpus", Path("x"), "is not text"),
        ("noise", "wiener", "noise='wiener' is not one of wavelet, none"),
        ("size", "huge", "size='huge' is not one of quick, paper"),
        ("threshold", "sure", "threshold='sure' is not one of rigrsure, heursure, sqtwolog, minimaxi"),
        ("recording_minutes", float("nan"), "recording_minutes=nan is not a finite number"),
        ("seed", 2**32, "seed=4294967296 is not below 2"),
    ],
)
def test_values_that_are_not_allowed(name, value, message):
    with pytest.raises(ParameterError, match=message):
        check_params({name: value})


@pytest.mark.parametrize(
    ("name", "hint"),
    [("epoch", "did you mean 'epochs'"), ("reciepe", "did you mean 'recipe'"), ("xyzzy", "known are corpus, run_dir")],
)
def test_unknown_names(name, hint):
    for check in (lambda: check_names(["seed", name]), lambda: check_params({name: 1}), lambda: parsed([(name, "1")])):
        with pytest.raises(ParameterError, match=f"unknown parameter '{name}': {hint}"):
            check()


def test_text_gets_the_type_of_its_parameter():
    values = parsed([["epochs", "3"], ["recording_minutes", "2"], ["corpus", "7"], ["seed", "10"], ["seed", "11"]])
    assert values == {"epochs": 3, "recording_minutes": 2.0, "corpus": "7", "seed": 11}
    with pytest.raises(ParameterError, match="epochs='three' is not a whole number"):
        parsed([("epochs", "three")])


def test_the_help_tells_type_default_and_values_of_every_parameter():
    lines = dict(zip(PARAMETERS, described().splitlines(), strict=True))
    for name, parameter in PARAMETERS.items():
        assert str(parameter.default) in lines[name] and parameter.help in lines[name]
        for value in parameter.allowed if isinstance(parameter.allowed, tuple) else ():
            assert value in lines[name]
    assert "(a whole number; default 17)" in lines["level"]


def test_differing_names_what_makes_other_figures():
    params = check_params({})
    assert differing({}, params) == "" == differing(params, params | {"data_dir": "/elsewhere"})
    assert differing(params, params | {"level": 3}) == "level"
