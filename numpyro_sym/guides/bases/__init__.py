"""Base guides as distributions over the sites of a model."""
