"""Tests of `livechat.backends.redis.cluster`."""
