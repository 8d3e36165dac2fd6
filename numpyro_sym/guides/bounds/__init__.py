"""Densities of symmetrized guides: exactly, by permanents, or bounded by guessing a
draw's element.
"""
