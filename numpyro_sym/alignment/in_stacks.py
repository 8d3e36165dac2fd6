"""Sites that are stacked, given to what knows arrays alone, and handed back as they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..symmetry import Symmetry


def on_arrays(
    work: Callable[[dict[str, Any], Symmetry], Any],
    sites: Mapping[str, Any],
    sym: Symmetry,
    lead: int,
) -> Any:
    """What a function of arrays gives of stacked sites.

    :param work: function of arrays and a symmetry of arrays, to a result that has ``sites``.
    :param sites: site name -> array ``(*sample, *site)``.
    :param sym: the symmetry, of stacked sites.
    :param lead: how many leading sample dimensions there are.
    :returns: the result, its ``sites`` as they came.
    """
    found = work(sym.stack(sites, sample_ndim=lead), sym.on_arrays())
    return found._replace(sites=sym.unstack(found.sites, like=list(sites), sample_ndim=lead))
