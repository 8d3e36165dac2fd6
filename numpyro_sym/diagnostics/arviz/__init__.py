"""ArviZ objects of either generation: read, aligned, and handed back with a record of what was
done.
"""
