from __future__ import annotations

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.autograd import Tensor


@pytest.mark.parametrize("T, C", [(7, 6), (7, 5), (1, 1), (0, 4)])
def test_sinusoidal_is_the_formula(T, C):
    table = ops.sinusoidal(T, C, np.float64)
    assert table.shape == (T, C)
    for t in range(T):
        for c in range(C):
            angle = t / 10000 ** ((c - c % 2) / C)
            assert table[t, c] == pytest.approx([np.sin, np.cos][c % 2](angle), abs=1e-12)
    assert ops.sinusoidal(3, 4).dtype == np.float32


def test_tables_are_shared_and_cannot_be_written_to():
    for table in (ops.sinusoidal(3, 4), *ops.rotary_tables(3, 4)):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1
    assert ops.rotary_tables(3, 4)[0] is ops.rotary_tables(3, 4)[0]


def test_rotary_turns_and_keeps_lengths(rng):
    x = rng.standard_normal((2, 5, 6))
    cos, sin = ops.rotary_tables(5, 6, dtype=np.float64)
    y, vjp = ops.rotary.raw(x, cos=cos, sin=sin)
    turned = (x[..., :3] + 1j * x[..., 3:]) * (cos + 1j * sin)          # a pair is a complex number
    np.testing.assert_allclose(y, np.concatenate([turned.real, turned.imag], -1), atol=1e-12)
    np.testing.assert_allclose(vjp(y), x, atol=1e-12)                   # the gradient turns back
    np.testing.assert_array_equal(y[:, 0], x[:, 0])                     # position 0 is not turned


def test_rotary_scores_depend_on_the_distance_alone(rng):
    q, k = rng.standard_normal(8), rng.standard_normal(8)
    cos, sin = ops.rotary_tables(20, 8, dtype=np.float64)
    Q, K = (ops.rotary.raw(np.tile(a, (20, 1)), cos=cos, sin=sin)[0] for a in (q, k))
    scores = Q @ K.T
    for distance in range(-5, 6):
        diagonal = np.diag(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-12)


def test_the_turns_of_a_longer_context():
    """Llama 3.1: three ranges of wavelengths λ = 2π/f, as its authors wrote them."""
    plain, stretched = ops.rotary_frequencies(128, 5e5), ops.rotary_frequencies(128, 5e5, 8.0, 1.0, 4.0, 8192)
    kinds = set()
    for f, found in zip(plain, stretched):
        wavelength = 2 * np.pi / f
        if wavelength < 8192 / 4:
            kind, expected = "fast", f
        elif wavelength > 8192:
            kind, expected = "slow", f / 8
        else:
            smooth = (8192 / wavelength - 1) / (4 - 1)
            kind, expected = "between", (1 - smooth) * f / 8 + smooth * f
        kinds.add(kind)
        assert found == pytest.approx(expected, rel=1e-12)
    assert kinds == {"fast", "slow", "between"}
    np.testing.assert_array_equal(ops.rotary_frequencies(128, 5e5, factor=1.0), plain)
    np.testing.assert_allclose(ops.rotary_tables(5, 128, 5e5, np.float64, factor=8.0)[1],
                               np.sin(np.outer(np.arange(5), stretched)))


def test_errors():
    with pytest.raises(ValueError, match="rotary: the head width is 5, expected an even one"):
        ops.rotary_tables(3, 5)
    cos, sin = ops.rotary_tables(3, 4)
    with pytest.raises(ValueError, match=r"rotary: x is \(3, 6\), cos \(3, 2\)"):
        ops.rotary(Tensor(np.ones((3, 6), np.float32)), cos, sin)
