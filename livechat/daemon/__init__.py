"""The process: its parts, put together, started and stopped."""
