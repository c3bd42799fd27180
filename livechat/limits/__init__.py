"""Bounds: rates, connections and deadlines."""
