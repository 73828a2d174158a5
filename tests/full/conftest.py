"""Tests of the full data sets: collected only for the sets that are there."""

from companion.runtime import data_dir

NEEDED = {
    "test_mnist.py": "MNIST/raw",
    "test_fashion.py": "FashionMNIST/raw",
    "test_cifar10.py": "cifar-10-batches-py",
}
collect_ignore = [
    name for name, folder in NEEDED.items() if not (data_dir() / folder).is_dir()
]
