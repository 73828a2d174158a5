import pytest
import torch


@pytest.fixture(autouse=True)
def fixed_seed():
    """Each test starts from the same random numbers, whatever ran before it."""
    torch.manual_seed(0)
