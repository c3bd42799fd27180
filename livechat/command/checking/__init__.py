"""Subjects of `livechat check`: a module for each kind."""
