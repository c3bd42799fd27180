"""What crosses the wire, and how it is written.  No I/O."""
