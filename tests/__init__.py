"""Tests of livechat: one file for each module, and `tests.live` for the whole daemon."""
