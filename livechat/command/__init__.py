"""
The ``livechat`` command, for those who run a server.

    main      the command line
    granting  tokens, keys, operators
    talking   reading a room, and saying something there
    tracing   the frames of a room or a person
    checks    whether a server could run, or does
    backup    a copy of the state directory
    client    requests over HTTPS; `finding` says where, with which key, and whom to trust
    output    what is printed, and how a command fails
"""
