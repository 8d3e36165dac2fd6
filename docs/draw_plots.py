"""The picture of the page on pictures: python docs/draw_plots.py (draws that are planted, no
sampler).
"""

import matplotlib

matplotlib.use("Agg")

import arviz as az
import matplotlib.pyplot as plt
import numpy as np

import numpyro_sym as nsym
from numpyro_sym import plots
from numpyro_sym.diagnostics import elements_of

rng = np.random.default_rng(0)
SHAPES = {"w1": (3, 4), "b1": (4,), "w2": (4, 2)}
sym = nsym.mlp(["w1", "w2"], [4], biases=["b1"], kind="signed", name="unit")
loc = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
draws = {
    name: loc[name] + 0.15 * rng.normal(size=(4, 300, *shape)) for name, shape in SHAPES.items()
}
total = np.tanh(draws["w1"].sum(2) + draws["b1"])[..., None] * draws["w2"]
order = np.stack([rng.permutation(4) for _ in range(4)])[:, None].repeat(300, 1)
sign = rng.choice([-1.0, 1.0], (4, 1, 4)).repeat(300, 1)
named = {**sym.act({"unit": nsym.Element(order, sign)}, draws), "f": total.sum(-2)}
data = az.from_dict({"posterior": named}) if az.__version__ >= "1" else az.from_dict(named)
aligned = nsym.rebasin(data, sym, keep_elements=True)

fig = plt.figure(figsize=(11, 8), layout="constrained")
top, bottom = fig.subfigures(2, 1)
forest, matrix = top.subplots(1, 2, width_ratios=[3, 2])
plots.plot_rhat(nsym.diagnose(data, sym, invariant="f"), ax=forest)
plots.plot_assignment(elements_of(aligned, sym), "unit", 0, 1, ax=matrix)
left, right = bottom.subfigures(1, 2)
plots.plot_pairs(
    data, aligned, ("w1", 0, 0), ("w2", 0, 1), axes=left.subplots(1, 2, sharex=True, sharey=True)
)
plots.plot_unit_cards(aligned, sym, "unit", axes=right.subplots(2, 2, sharex=True, sharey=True))
fig.savefig("docs/plots.png", dpi=100)
