"""Tests of `livechat.daemon`."""
