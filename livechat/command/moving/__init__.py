"""Exports and imports of rooms."""
