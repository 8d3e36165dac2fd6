"""Digits of scikit-learn, MNIST's test images, and the tables of regression."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .frame import NoData


class Split(NamedTuple):
    """Rows to train on, and rows to test on."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def digits(num_train: int = 1437) -> Split:
    """8 x 8 pixels, shuffled, standardized as a whole by the training rows."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return _classes(x[order], y[order], num_train, 1437)


def mnist(folder: Path | None, num_train: int = 8000) -> Split:
    """28 x 28 pixels: the published test images, 8,000 of them to train on."""
    if folder is None:
        raise NoData("it needs mnist/ in --data")

    def read(name: str, header: int) -> np.ndarray:
        packed = (Path(folder) / "mnist" / name).read_bytes()
        return np.frombuffer(gzip.decompress(packed), np.uint8, offset=header)

    x = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(float)
    return _classes(x, read("t10k-labels-idx1-ubyte.gz", 8), num_train, 8000)


def images(name: str, folder: Path | None, num_train: int | None = None) -> Split:
    """By name: "digits" or "MNIST"."""
    some = {} if num_train is None else {"num_train": num_train}
    return digits(**some) if name == "digits" else mnist(folder, **some)


def _classes(x: np.ndarray, y: np.ndarray, num_train: int, test_from: int) -> Split:
    train, test = slice(num_train), slice(test_from, None)
    center, scale = x[train].mean(), x[train].std()
    x = ((x - center) / scale).astype(np.float32)
    y = y.astype(np.int32)
    return Split(x[train], y[train], x[test], y[test])


def uci(name: str, folder: Path | None) -> Split:
    """A table of regression, columns and target standardized by the training rows."""
    if folder is None:
        raise NoData("it needs uci/ in --data")
    where = Path(folder) / "uci"
    table = np.loadtxt(where / f"{name}.data", ndmin=2)
    split: dict[str, Any] = json.loads((where / "splits.json").read_text())[name]
    train, test = (table[split[part]] for part in ("train", "validate"))
    center, scale = train.mean(0), np.where(train.std(0) > 0, train.std(0), 1)
    train, test = ((part - center) / scale for part in (train, test))
    return Split(train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])
