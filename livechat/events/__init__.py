"""Delivering events to receivers: webhooks, and subscribers of extensions."""
