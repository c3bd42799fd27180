"""Telling receivers outside of what happens: webhooks, and subscribers of extensions."""
