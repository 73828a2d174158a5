"""Algorithms (one trainer each) and `fit`, the one loop that runs them all."""

from companion.trainers.autoencoder import AutoencoderTrainer
from companion.trainers.classifier import ClassifierTrainer
from companion.trainers.fit import Trainer, fit
from companion.trainers.gan import GANTrainer, WeightAverage
from companion.trainers.history import History
from companion.trainers.translation import (
    CycleGANTrainer,
    Pix2PixTrainer,
    TranslationTrainer,
)
from companion.trainers.vae import ConditionalVAETrainer, VAETrainer
from companion.trainers.wgan import WGANGPTrainer, WGANTrainer

__all__ = [
    "AutoencoderTrainer",
    "ClassifierTrainer",
    "ConditionalVAETrainer",
    "CycleGANTrainer",
    "GANTrainer",
    "History",
    "Pix2PixTrainer",
    "Trainer",
    "TranslationTrainer",
    "VAETrainer",
    "WGANGPTrainer",
    "WGANTrainer",
    "WeightAverage",
    "fit",
]
