"""Who holds which examples, the weighted mean, and masks that cancel."""

import numpy as np
import pytest

from tinyformer.distributed import masked, split_clients, unmasked_sum, weighted_mean

LABELS = np.repeat(np.arange(10), 350)


@pytest.mark.parametrize("split", ("iid", "by-class", "dirichlet:0.3", "dirichlet:100"))
def test_each_example_has_one_client(split):
    parts = split_clients(LABELS, 10, split, rng=0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(3500))
    same = split_clients(LABELS, 10, split, rng=0)
    assert all(map(np.array_equal, parts, same))


def test_how_the_splits_differ():
    def classes(split):
        return [np.bincount(LABELS[part], minlength=10) for part in split_clients(LABELS, 10, split, rng=0)]

    assert all((counts > 10).all() for counts in classes("iid"))
    assert all((counts > 0).sum() <= 2 for counts in classes("by-class"))
    skewed, even = (np.std(classes(split)) for split in ("dirichlet:0.3", "dirichlet:100"))
    assert even < 10 < 40 < skewed
    assert {len(part) for part in split_clients(LABELS, 7, "iid", rng=0)} == {500}


@pytest.mark.parametrize("split", ("by_class", "dirichlet", "dirichlet:0", "dirichlet:x", "dirichlet:inf", "iid:3", "",
                                   3))
def test_unknown_splits(split):
    with pytest.raises(ValueError, match="expected iid, by-class, or dirichlet:A with a number A above 0"):
        split_clients(LABELS, 10, split)


def test_a_client_without_examples():
    with pytest.raises(ValueError, match=r"client \d+ of 10 has no examples of the 4, expected at least one for each"):
        split_clients(LABELS[:4], 10, "iid", rng=0)
    with pytest.raises(ValueError, match="has no examples"):
        split_clients(LABELS, 50, "dirichlet:0.001", rng=0)
    with pytest.raises(ValueError, match="clients is 0"):
        split_clients(LABELS, 0)


def test_the_mean_is_weighted():
    rows, counts = np.array([[1.0, 2.0], [4.0, 8.0]]), [1, 3]
    np.testing.assert_allclose(weighted_mean(rows, counts), [3.25, 6.5])


def test_masks_cancel_and_hide(rng):
    rows = rng.normal(size=(5, 300)) * 10
    sent = [masked(row, k, 5, seed=7) for k, row in enumerate(rows)]
    np.testing.assert_allclose(unmasked_sum(sent), rows.sum(axis=0), rtol=0, atol=5 * 2.0 ** -33)
    shown = sent[2].view(np.int64) / 2.0 ** 32
    assert abs(np.corrcoef(shown, rows[2])[0, 1]) < 0.2
    assert abs(np.corrcoef(unmasked_sum(sent[:4]), rows[:4].sum(axis=0))[0, 1]) < 0.2      # one is missing
    alone = unmasked_sum([masked(rows[0], 0, 1, seed=7)])
    np.testing.assert_array_equal(alone, np.round(rows[0] * 2.0 ** 32) / 2 ** 32)
    for bad in (np.array([1e10]), np.array([np.nan])):
        with pytest.raises(ValueError, match="masked: values reach"):
            masked(bad, 0, 2, seed=0)
