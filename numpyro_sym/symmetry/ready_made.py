"""Symmetries of the models that everybody writes, from the names of their sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from . import kinds
from .arguments import check_arguments
from .errors import SymmetryError
from .symmetry import Symmetry
from .units import AxisLike, Kind, Units


def mlp(
    weights: kinds.NameList,
    widths: kinds.Widths,
    *,
    biases: kinds.NameListWithNone | None = None,
    kind: Kind = "permutation",
    layout: Literal["in,out", "out,in"] = "in,out",
    name: kinds.Name = "hidden",
) -> Symmetry:
    """The symmetry of a multilayer perceptron: the units of each hidden layer.

    :param weights: sites of the weight matrices, first layer first; one more than hidden layers.
    :param widths: number of units of each hidden layer.
    :param biases: sites of the biases, first layer first, ``None`` where a layer has none. The
        output layer's is not acted on and may be left out.
    :param kind: ``"signed"`` for an odd activation (tanh, sin, erf), ``"scaled"`` for ReLU and
        leaky ReLU, ``"permutation"`` for any other.
    :param layout: shape of the weight matrices: ``"in,out"`` (Flax) or ``"out,in"`` (Equinox).
    :param name: prefix of the names of the units: ``hidden1``, ``hidden2``, ...; ``hidden`` where
        there is one layer.
    :returns: a :class:`Symmetry` with one ``Units`` a hidden layer.
    :raises SymmetryError: where the lengths do not fit together, or a site is named twice.

    >>> print(mlp(["w1", "w2", "w3"], [16, 8], biases=["b1", "b2", None], kind="signed"))
    units     n  kind    order      acts on
    hidden1  16  signed  1.371e+18  w1[1] b1[0] w2[0]
    hidden2   8  signed  1.032e+07  w2[1] b2[0] w3[0]
    """
    check_arguments(mlp, locals())
    if len(weights) != len(widths) + 1:
        raise SymmetryError(
            f"mlp: {len(widths)} hidden layers need {len(widths) + 1} weight sites; got "
            f"{len(weights)}."
        )
    biases = [None] * len(widths) if biases is None else list(biases)
    if len(biases) not in (len(widths), len(widths) + 1):
        raise SymmetryError(
            f"mlp: {len(widths)} hidden layers need {len(widths)} or {len(widths) + 1} bias sites "
            "(None where there "
            f"is none); got {len(biases)}."
        )
    _refuse_repeated("mlp", [*weights, *(bias for bias in biases if bias is not None)])
    axis_out, axis_in = (1, 0) if layout == "in,out" else (0, 1)
    layers = []
    for i, width in enumerate(widths):
        incoming: dict[str, AxisLike] = {weights[i]: axis_out}
        bias = biases[i]
        if bias is not None:
            incoming[bias] = 0
        label = name if len(widths) == 1 else f"{name}{i + 1}"
        layers.append(
            Units(label, width, incoming=incoming, outgoing={weights[i + 1]: axis_in}, kind=kind)
        )
    return Symmetry(layers)


def mixture(
    n: kinds.Positive,
    axes: Mapping[str, AxisLike],
    *,
    assignments: kinds.NameOrNames | None = None,
    name: kinds.Name = "component",
) -> Symmetry:
    """The symmetry of a mixture, a topic or a latent-class model: its components' labels.

    :param n: number of components.
    :param axes: site name -> the axis that runs over components: weights, locations, scales, and
        assignments' probabilities where they are sites.
    :param assignments: site, or several, of integers ``0 .. n-1``, the component of each
        observation: they are moved with the components wherever they are there.
    :param name: name of the units.
    :returns: a :class:`Symmetry` with one ``Units``.
    :raises SymmetryError: where a site is named twice.

    >>> mixture(3, {"weights": 0, "mu": 0, "sigma": 0}).order
    6
    >>> print(mixture(3, {"weights": 0, "mu": 0}, assignments="z"))
    units      n  kind         order  acts on
    component  3  permutation  6      weights[0] mu[0], labels z
    """
    check_arguments(mixture, locals())
    return Symmetry([Units(name, n, axes=axes, values=_all_names(assignments))])


def hmm(
    n: kinds.Positive,
    *,
    transition: kinds.Name,
    initial: kinds.Name | None = None,
    emissions: Mapping[str, AxisLike] | None = None,
    states: kinds.NameOrNames | None = None,
    name: kinds.Name = "state",
) -> Symmetry:
    """The symmetry of a hidden Markov model: its states' labels, on both axes of the transitions.

    :param n: number of states.
    :param transition: site of the ``(n, n)`` transition matrix.
    :param initial: site of the ``(n,)`` initial probabilities, if it is one.
    :param emissions: site name -> the axis that runs over states.
    :param states: site, or several, of integers ``0 .. n-1``, the state at each time: they are
        moved with the parameters wherever they are there.
    :param name: name of the units.
    :returns: a :class:`Symmetry` with one ``Units``.
    :raises SymmetryError: where a site is named twice.

    >>> print(hmm(4, transition="A", initial="pi", emissions={"mu": 0}))
    units  n  kind         order  acts on
    state  4  permutation  24     A[0] A[1] pi[0] mu[0]
    """
    check_arguments(hmm, locals())
    _refuse_repeated(
        "hmm", [transition, *([] if initial is None else [initial]), *(emissions or {})]
    )
    axes: dict[str, AxisLike] = {transition: (0, 1)}
    if initial is not None:
        axes[initial] = 0
    return Symmetry([Units(name, n, axes={**axes, **(emissions or {})}, values=_all_names(states))])


def factor_model(
    n: kinds.Positive,
    *,
    loadings: Mapping[str, AxisLike],
    factors: Mapping[str, AxisLike] | None = None,
    axes: Mapping[str, AxisLike] | None = None,
    name: kinds.Name = "factor",
) -> Symmetry:
    """The discrete symmetry of a factor model: order and signs of its factors.

    Rotations of the factors are continuous and not part of it.

    :param n: number of factors.
    :param loadings: site name -> the axis that runs over factors.
    :param factors: scores, likewise, where they are sites.
    :param axes: sites that the factors only permute, such as scales of the loadings.
    :param name: name of the units.
    :returns: a :class:`Symmetry` with one signed ``Units``.

    >>> factor_model(2, loadings={"L": 1}, factors={"z": 1}).order
    8
    """
    check_arguments(factor_model, locals())
    if not loadings:
        raise SymmetryError(
            "factor_model: loadings is empty: name the site of the loadings and the axis of "
            "factors."
        )
    return Symmetry([Units(name, n, incoming=loadings, outgoing=factors, axes=axes, kind="signed")])


def _all_names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _refuse_repeated(who: str, names: Sequence[str]) -> None:
    """Each role of a model is a site of its own; a second name would push the first
    one's axis out.
    """
    for site in names:
        if names.count(site) > 1:
            raise SymmetryError(
                f"{who}: site {site!r} is named twice. Where one array plays two roles, say on "
                "which axes its units "
                "lie: Units(name, n, incoming=..., outgoing=..., axes=...)."
            )
