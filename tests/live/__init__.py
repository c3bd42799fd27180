"""The whole daemon: a real twistd process and real clients."""
