"""Tests of the load generator, against small servers that make mistakes."""
