"""A model whose sites and plates go by other names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpyro.primitives import Messenger

#: Messages whose names are told apart by whoever runs a model.
_NAMED = {"sample", "deterministic", "plate"}


class Renamed(Messenger):
    """The same model, its sites and plates renamed.

    :param fn: a NumPyro model.
    :param new_name: name -> the new one.
    """

    def __init__(self, fn: Callable[..., Any], new_name: Callable[[str], str]) -> None:
        super().__init__(fn)
        self.new_name = new_name

    def process_message(self, msg: dict) -> None:
        if msg["type"] not in _NAMED:
            return
        msg["name"] = self.new_name(msg["name"])
        frames = []
        for frame in msg.get("cond_indep_stack", ()):
            frames.append(frame._replace(name=self.new_name(frame.name)))
        msg["cond_indep_stack"] = frames
