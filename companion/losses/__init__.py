"""The equations of the book: each function reads like its formula."""

from companion.losses.autoencoder import squared_error
from companion.losses.classification import class_weights, cross_entropy, l1_penalty
from companion.losses.gan import (
    discriminator_loss,
    non_saturating_loss,
    optimal_discriminator,
    r1_penalty,
    saturating_loss,
)
from companion.losses.translation import (
    absolute_error,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
)
from companion.losses.vae import (
    bernoulli_nll,
    gaussian_nll,
    importance_weighted_nll,
    kl_to_standard_normal,
    negative_elbo,
    path_negative_elbo,
    reparameterize,
)
from companion.losses.wgan import (
    critic_loss,
    gradient_penalty,
    random_between,
    wasserstein_1d,
)

__all__ = [
    "absolute_error",
    "bernoulli_nll",
    "class_weights",
    "critic_loss",
    "cross_entropy",
    "discriminator_loss",
    "gaussian_nll",
    "gradient_penalty",
    "importance_weighted_nll",
    "kl_to_standard_normal",
    "l1_penalty",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "negative_elbo",
    "non_saturating_loss",
    "optimal_discriminator",
    "path_negative_elbo",
    "r1_penalty",
    "random_between",
    "reparameterize",
    "saturating_loss",
    "squared_error",
    "wasserstein_1d",
]
