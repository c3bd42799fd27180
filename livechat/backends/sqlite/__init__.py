"""Rooms of one process, in an SQLite database."""
