"""Tests of `livechat.rooms`."""
