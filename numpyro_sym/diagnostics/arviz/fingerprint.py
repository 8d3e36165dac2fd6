"""Fingerprints: whether draws, a symmetry or a reference are those of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import xarray as xr

from ...symmetry import Symmetry

#: Four numbers of 64 bits for a block: two of what was read, two of what was written.
WORDS = 2


def of_arrays(arrays: Mapping[Any, Any]) -> str:
    """Of names, types, shapes and every bit of the arrays."""
    digest = blake2b(digest_size=8 * WORDS)
    for name in sorted(arrays, key=str):
        x = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {x.dtype.str} {x.shape}".encode())
        if x.dtype == object:
            digest.update(repr(x.tolist()).encode())
        else:
            digest.update(x.tobytes())
    return digest.hexdigest()


def of_dataset(dataset: xr.Dataset) -> np.ndarray:
    """Of a Dataset's variables, as :data:`WORDS` unsigned numbers, never all zero."""
    text = of_arrays({name: x.values for name, x in dataset.data_vars.items()})
    # Sixteen digits of the text are one number.
    words = np.array([int(text[i : i + 16], 16) for i in range(0, 16 * WORDS, 16)], np.uint64)
    return words if words.any() else words + np.uint64(1)


def of_symmetry(sym: Symmetry) -> str:
    """Of names, numbers, batches, kinds, axes and labels of all ``Units``."""
    return of_text([[u.name, *u.shape, u.kind, u.placements, *u.labeled, *u.stacked] for u in sym])


def of_text(value: Any) -> str:
    """Of anything that is the same where its text is."""
    text = json.dumps(value, default=repr, sort_keys=True)
    return blake2b(text.encode(), digest_size=8 * WORDS).hexdigest()
