"""Programs that try a daemon: an attack, chaos, an echo."""
