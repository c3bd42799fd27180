"""Structs that cross the wire, and how they are written.  No I/O."""
