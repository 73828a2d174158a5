"""The full Fashion-MNIST."""

from companion.data import digits, fashion


def test_counts_and_classes():
    data = fashion()
    for split, each in ((data.train, 5_500), (data.validation, 500), (data.test, 1000)):
        assert split.x.shape == (10 * each, 1, 28, 28)
        assert split.y.bincount().tolist() == [each] * 10
    assert len(data.classes) == 10 and data.full
    # A known picture: ankle boots are wide below, trousers are tall.
    boot, trousers = (data.train.x[data.train.y == k].mean(0)[0] for k in (9, 1))
    assert boot[18:].mean() > 2 * boot[:6].mean()
    assert (trousers > 0.3).any(0).sum() < (trousers > 0.3).any(1).sum()


def test_it_is_not_mnist():
    assert fashion().train.x.mean() > 1.5 * digits("embedded").train.x.mean()
