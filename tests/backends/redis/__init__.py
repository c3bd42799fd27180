"""Rooms in a real Redis."""
