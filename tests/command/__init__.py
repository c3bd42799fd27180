"""Tests of `livechat.command`."""
