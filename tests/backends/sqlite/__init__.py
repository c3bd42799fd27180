"""Tests of `livechat.backends.sqlite.backend`."""
