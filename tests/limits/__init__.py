"""Tests of `livechat.limits`."""
