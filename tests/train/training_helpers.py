"""Fits without the command line, and what those with it leave behind."""

import csv

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from gdbench.experiments import datasets
from gdbench.train.training import Training
from kernels import Network

LINEAR = ("--dataset", "diabetes", "--network", "linear")


def rows_of(folder):
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pixels(png, colour):
    """Mask (height, width) of the pixels that have a colour."""
    image = imread(png)[..., :3]
    return np.abs(image - np.array(to_rgb(colour))).max(axis=2) < 0.02


def training(dataset="diabetes", network=None, **options):
    data = datasets.load(dataset)
    network = network or Network.linear(data.X.shape[1])
    return Training(network, data, **{"variant": "jit", "learning_rate": 0.1, "epochs": 4} | options)
