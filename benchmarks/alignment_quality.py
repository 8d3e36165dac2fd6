"""Is the engine ever farther away than the plain algorithm? How often does it find what was
planted?
"""

from __future__ import annotations

import sys

import numpy as np
from alignment_networks import dense, draws, residual, wiring
from alignment_plain import squared_distance, weight_matching
from json_lines import say

from numpyro_sym.alignment import align

NETWORKS = {
    "13-50-50-1": dense(13, [50, 50], 1),
    "1-16-16-16-1": dense(1, [16, 16, 16], 1),
    "2-30-30-2": dense(2, [30, 30], 2),
    "1-64-64-1": dense(1, [64, 64], 1),
    "residual 1-1": residual(),
}
RECOVERED = {
    "1-64-64-1": dense(1, [64, 64], 1),
    "1-64-64-64-1": dense(1, [64] * 3, 1),
    "1-64-64-64-64-1": dense(1, [64] * 4, 1),
    "13-50-50-1": dense(13, [50, 50], 1),
    "residual 1-1": residual(),
}


def never_above(pairs):
    """Unrelated and noisy pairs, against the plain algorithm in fixed and in random order."""
    for seed, (name, network) in enumerate(NETWORKS.items()):
        for noise in (None, 1.0):
            reference, points, _ = draws(network, pairs, noise, seed)
            ours = align(points, reference, network[0]).distance
            wires = wiring(network[0])
            plain = np.empty((pairs, 2))
            for i in range(pairs):
                point = {s: x[i] for s, x in points.items()}
                for k, rng in enumerate((None, np.random.default_rng(i))):
                    perms = weight_matching(point, reference, wires, rng)
                    plain[i, k] = np.sqrt(squared_distance(point, reference, wires, perms))
            above = (ours[:, None] > plain * (1 + 1e-9)).any(1).sum()
            label = "unrelated" if noise is None else f"noise {noise}"
            say(
                network=name,
                pairs=label,
                number=pairs,
                **{
                    "farther than plain": int(above),
                    "mean distance": float(ours.mean()),
                    "plain mean": float(plain.mean()),
                },
            )


def recovered(trials):
    """Exact permuted copies, and copies with noise .5."""
    for seed, (name, network) in enumerate(RECOVERED.items()):
        for noise in (0.0, 0.5):
            reference, points, planted = draws(network, trials, noise, 100 + seed)
            r = align(points, reference, network[0])
            one = align(points, reference, network[0], starts=("identity",))
            hit = [float((a.distance <= planted * (1 + 1e-9) + 1e-9).mean()) for a in (r, one)]
            say(
                network=name,
                noise=noise,
                trials=trials,
                **{"as near as planted": hit[0], "one descent from the identity": hit[1]},
            )


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    never_above(10 if quick else 100)
    recovered(20 if quick else 200)
