"""Tests that take a minute each."""
