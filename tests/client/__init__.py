"""The Python client, with a server that plays."""
