"""Sections: one representative of each orbit, found by sorting or as the nearest to a reference."""
