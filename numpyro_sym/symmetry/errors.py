"""The errors that this package raises on purpose."""


class SymmetryError(ValueError):
    """A symmetry, a site or an array that cannot be used as given.

    The message names the site, what came, what was expected and what to do.
    """
