"""Tests of `livechat.http`."""
