"""What is maximized when draws are matched, and how: sweeps, starts, listing, and the sets of a
batch.
"""
