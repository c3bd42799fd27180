"""Tests of `livechat.events`."""
