"""Tests of `livechat.identity`."""
