"""Tests of `livechat.web.admin.pages`."""
