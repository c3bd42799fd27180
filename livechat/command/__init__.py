"""
The ``livechat`` command, for those who run a server.

    main        the command line
    granting    tokens, keys, operators
    talking     reading a room, and saying something there
    tracing     the frames of a room or a person
    checks      whether a server could run, or does
    backup      a copy of the state directory; `restoring` is the way back
    moving      exports and imports of rooms
    client      requests over HTTPS; `finding` finds the server, the key and the certificate
    configured  the options of the daemon, as commands are given them
    output      printing, and how a command fails
"""
