"""Types of every value of a program, walked through its jaxpr once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .constants import as_constant, fold
from .inference import Value, Walk, calls, opaque, rules
from .slices import apply_to_slices, joined

#: Where a program's own random numbers begin: with another seed they are others.
RANDOM = frozenset(
    ("random_seed", "random_wrap", "random_bits", "threefry2x32", "rng_bit_generator")
)

#: Whether a fault of a rule is raised. By default the primitive counts as unknown, so that less is
#: found; tests raise.
RAISE_FAULTS = False


def walk_jaxpr(walk: Walk, jaxpr: Any, inputs: Sequence[Any], feeds: Sequence[Any]) -> list[Any]:
    """Types (or constants) of a program's outputs, given those of its inputs.

    :param jaxpr: a closed jaxpr, or one without constants.
    :param feeds: for each output, the sites whose densities depend on it, or ``None`` where nothing
        does and what leads to it may be left out.
    """
    consts, jaxpr = getattr(jaxpr, "consts", ()), getattr(jaxpr, "jaxpr", jaxpr)
    env: dict[Any, Any] = dict(zip(jaxpr.constvars, map(as_constant, consts), strict=True))
    env.update(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return as_constant(atom.val) if hasattr(atom, "val") else env[atom]

    outer = walk.eqn, walk.feeds, walk.out_feeds
    for eqn, out_feeds in zip(jaxpr.eqns, needed(jaxpr, feeds)[0], strict=True):
        feeding = [feed for feed in out_feeds if feed is not None]
        if feeding:
            walk.eqn, walk.feeds, walk.out_feeds = eqn, frozenset().union(*feeding), out_feeds
            outputs = apply_rule(walk, eqn, [read(a) for a in eqn.invars])
            env.update(zip(eqn.outvars, outputs, strict=True))
    walk.eqn, walk.feeds, walk.out_feeds = outer
    return [read(a) if f is not None else None for a, f in zip(jaxpr.outvars, feeds, strict=True)]


def needed(
    jaxpr: Any, feeds: Sequence[frozenset[str] | None]
) -> tuple[list[list], dict[Any, frozenset[str]]]:
    """For each output of each equation, the sites whose densities need it (``None``: none does);
    and by variable.
    """
    use: dict[Any, frozenset[str]] = {}
    by_equation: list[list[frozenset[str] | None]] = []

    def mark(atoms: Iterable[Any], feed: frozenset[str]) -> None:
        for atom in atoms:
            if not hasattr(atom, "val"):
                use[atom] = use.get(atom, frozenset()) | feed

    for atom, feed in zip(jaxpr.outvars, feeds, strict=True):
        if feed is not None:
            mark([atom], feed)
    for eqn in reversed(jaxpr.eqns):
        by_equation.append([use.get(v) for v in eqn.outvars])
        for feed in by_equation[-1]:
            if feed is not None:
                mark(eqn.invars, feed)
    return by_equation[::-1], use


def apply_rule(walk: Walk, eqn: Any, inputs: list[Any]) -> Sequence[Any]:
    """Outputs of one equation: computed where every input is constant, else typed by its rule."""
    if not any(isinstance(x, Value) for x in inputs) and eqn.primitive.name not in calls:
        if walk.any_data and eqn.primitive.name in RANDOM:
            text = "a random number of the model's own"
            return [walk.data(text, v.aval.shape) for v in eqn.outvars]
        return fold(eqn, inputs)
    rule = rules.get(eqn.primitive.name)
    values = [x if isinstance(x, Value) else walk.constant(x) for x in inputs]
    if rule is not None and all(0 not in a.aval.shape for a in (*eqn.invars, *eqn.outvars)):
        try:
            if any(x.batch for x in values) and not _runs_over_slices(eqn, values):
                slices = apply_to_slices(walk, eqn, values, rule)
                if slices is not None:
                    return slices
                shapes = [a.aval.shape for a in eqn.invars]
                values = [joined(walk, x, s) for x, s in zip(values, shapes, strict=True)]
            out = rule(walk, eqn, *values)
            return [out] if isinstance(out, Value) else out
        except Exception:
            # Parameters that a version of JAX spells otherwise. What the rule demanded by then only
            # narrows what is found.
            if RAISE_FAULTS:
                raise
    walk.unknown.add(eqn.primitive.name)
    return opaque(walk, eqn, *values)


def _runs_over_slices(eqn: Any, values: Sequence[Value]) -> bool:
    """Whether a rule knows of slices itself: where it walks through a program that sees them."""
    is_cut = any(k is not None for x in values for k in x.batch)
    return is_cut and eqn.primitive.name in {"scan", *calls}
