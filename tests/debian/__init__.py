"""Tests of what is installed, each in a Debian that is made for it: make deb-test."""
