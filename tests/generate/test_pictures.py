"""Ways through a latent space: rows from one vector to another, and a plane."""

import numpy as np
import pytest

from tinyformer.generate import interpolations, latent_plane


class Echo:
    """A model whose picture is its latent vector, the third number enlarged."""

    def __init__(self, n_latent=4, conditional=False):
        self.config = type("Config", (), {"n_latent": n_latent, "conditional": conditional, "n_classes": 3})

    def pictures(self, z, y=None):
        self.classes = y
        return (z * ([1, 2, 5, 1][:z.shape[1]])).reshape(len(z), 1, 1, -1)


def test_a_row_leads_from_one_vector_to_another_along_the_arc():
    pictures, columns = interpolations(Echo(), 20, rng=0)
    assert pictures.shape == (16, 1, 1, 4) and columns == 8
    ends = np.random.default_rng(0).standard_normal((2, 2, 1, 4))
    z = pictures.reshape(2, 8, 4) / [1, 2, 5, 1]
    np.testing.assert_allclose(z[:, 0], ends[0, :, 0], rtol=1e-5)
    np.testing.assert_allclose(z[:, -1], ends[1, :, 0], rtol=1e-5)
    length, least = np.linalg.norm(z, axis=-1), np.linalg.norm(ends, axis=-1).min(axis=0)
    assert (length > 0.6 * least).all()                     # the straight line comes nearer to 0


def test_the_plane_takes_the_two_numbers_that_matter():
    pictures, side = latent_plane(Echo(), 27)
    assert side == 5 and pictures.shape == (25, 1, 1, 4)
    z = pictures.reshape(5, 5, 4) / [1, 2, 5, 1]
    assert (z[..., [0, 3]] == 0).all()
    np.testing.assert_allclose(z[0, :, 1], np.linspace(-2, 2, 5))               # to the right
    np.testing.assert_allclose(z[:, 0, 2], np.linspace(2, -2, 5))               # the largest at the top


def test_classes():
    model = Echo(conditional=True)
    latent_plane(model, 9, y=2)
    assert (model.classes == 2).all() and len(model.classes) == 9
    interpolations(model, 8, rng=1)
    assert len(set(model.classes)) == 1


def test_bad_input():
    with pytest.raises(ValueError, match="the model has 1 latent number, expected at least 2"):
        latent_plane(Echo(1))
    with pytest.raises(ValueError, match="interpolations: n is 0"):
        interpolations(Echo(), 0)
