"""Draws the graph: turns components into task groups."""
