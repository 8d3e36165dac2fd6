"""Plates of which only some rows are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def cut_plates(frames: Iterable[Any], full_sizes: Mapping[str, int]) -> list[str]:
    """Names of the plates around a site that are subsampled.

    :param frames: the plates as NumPyro's messages hold them (``cond_indep_stack``).
    :param full_sizes: plate name -> its size without subsampling.
    """
    return [frame.name for frame in frames if full_sizes.get(frame.name, frame.size) != frame.size]
