"""Tests of `livechat.limits.rates`."""
