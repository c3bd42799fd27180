"""Webhooks: what the site is told of, by signed POSTs."""
