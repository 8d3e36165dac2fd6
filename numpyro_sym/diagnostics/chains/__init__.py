"""Functional modes: how many the draws show, which chain sits in which, how many chains see them
all.
"""
