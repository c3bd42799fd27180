"""Tests of `livechat.protocol`."""
