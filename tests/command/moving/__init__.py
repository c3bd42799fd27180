"""Tests of `livechat.command.moving`."""
