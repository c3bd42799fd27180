"""Tests of `livechat.members`."""
