import pytest
from conftest import compose

from anx.experiment.evaluation import name_perturbations, only_shuffled


def perturbations(*overrides):
    return compose(*overrides, config_name="evaluate").perturbations


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "plain"),
        (["perturbations=[shuffle]"], "shuffle"),
        (["perturbations=[shuffle]", "perturbations.shuffle.every=100"], "shuffle(every=100)"),
        (["perturbations=[noise,shuffle]"], "noise(channels=5, sigma=0.1) + shuffle"),
        (["perturbations=[noise,shuffle]", "perturbations.noise=null"], "shuffle"),
    ],
)
def test_perturbations_are_named_in_their_order_with_what_they_are_given(overrides, name):
    assert name_perturbations(perturbations(*overrides)) == name


@pytest.mark.parametrize(
    ("overrides", "only"),
    [
        ([], False),
        (["perturbations=[shuffle]"], True),
        (["perturbations=[shuffle,noise]", "perturbations.noise=null"], True),
        (["perturbations=[shuffle]", "perturbations.shuffle.every=100"], False),
        (["perturbations=[shuffle,noise]"], False),
    ],
)
def test_inputs_are_only_shuffled_where_their_order_is_fixed_and_nothing_else_befalls_them(overrides, only):
    assert only_shuffled(perturbations(*overrides)) is only
