"""Tests of `livechat.system`."""
