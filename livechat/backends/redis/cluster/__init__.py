"""
Rooms in a cluster of Redis or Valkey.

    backend        the backend, as that of one Redis, but each master is prepared by itself
    connection     the connections to all masters as one: commands go where their keys are
    held           commands that wait while their slot moves
    channels       the channels listened to, at which master
    topology       which slot is where, and how that is found out
    joining        how masters are connected to; `once` does so for a tool
    node           one master: its connections, and whether it can be used
    sweep          the removal of old entries, slot by slot
    slots          slots of keys, and what a cluster says of itself, without I/O
"""
