"""The command line of ``livechat``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from livechat import __version__, option_values
from livechat.command import granting, people, talking, tracing, webhook_options
from livechat.command.backup import back_up, pour
from livechat.command.client import PULSE, Client
from livechat.command.finding import find, state_directory
from livechat.command.output import CommandError, Output
from livechat.command.service import environment_of
from livechat.errors import StartError

#: Exit codes: a failure; a bad command line (argparse's own); an end by a signal.
FAILED: Final = 1
INTERRUPTED: Final = 130


def main(given: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """
    Run one command; returns the exit code.

    @param given: the command line, without the command's own name.
    @raise SystemExit: the command line is none, or asks for help.
    """
    parser = _parser()
    asked = parser.parse_args(given)
    if asked.command == "token" and (asked.action is None) != (asked.user is not None):
        parser.error("token needs --user ID, or: token check TOKEN")
    if asked.command == "token" and (asked.action is None) != (asked.token is None):
        parser.error("token check needs one TOKEN")
    own = os.environ if environment is None else environment
    try:
        return _run(asked, environment_of(asked.config, asked.rundir, own))
    except CommandError as reason:
        Output.note(str(reason))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe.  Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    output = Output(as_json=asked.json)
    match asked.command:
        case "version":
            output.show({"version": __version__}, f"livechat {__version__}")
        case "backup":
            _back_up(output, asked.file, state_directory(asked.state, environment), environment)
        case "restore":
            # Imported here, as these modules import Twisted.
            from livechat.command.restoring import restore  # noqa: PLC0415

            state = state_directory(asked.state, environment)
            names = restore(Path(asked.file), state)
            output.show({"state": str(state), "holds": names}, f"{state}: {', '.join(names)}")
        case "export" if asked.user is not None:
            if asked.resume or asked.with_secret or asked.options:
                raise CommandError(
                    "--user cannot be combined with --resume, --with-secret or options"
                )
            server = find(asked.server, asked.state, environment)
            people.export(Client(server), output, asked.file, asked.user, guest=asked.guest)
        case "export" | "import":
            return _move(output, asked, environment)
        case "webhook" if asked.action in webhook_options.WITHOUT_A_SERVER:
            return 0 if webhook_options.run(output, asked, environment) else FAILED
        case "check":
            return _check(output, asked, environment)
        case _:
            keyed = (asked.command, getattr(asked, "action", "")) != ("token", "check")
            server = find(asked.server, asked.state, environment, keyed=keyed)
            asked.ask(Client(server), output, asked)
    return 0


def _back_up(output: Output, file: str, state: Path, environment: Mapping[str, str]) -> None:
    if file == "-":
        if sys.stdout.isatty():
            raise CommandError(
                "an archive cannot be written to a terminal: give a FILE, or redirect it"
            )
        pour(state, sys.stdout.buffer, environment)
    else:
        names = back_up(state, Path(file), environment)
        output.show({"file": file, "holds": names}, f"{file}: {', '.join(names)}")


def _check(output: Output, asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    if asked.alive:
        server = find(asked.server, asked.state, environment, keyed=False)
        Client(server, PULSE).ask("GET", "/healthz")
        output.show({"alive": True}, "alive")
        return 0
    # Imported here, as these modules import Twisted.
    from livechat.command import checks  # noqa: PLC0415

    good = checks.check(
        output, asked.options, environment, asked.server, asked.state, directory=asked.rundir
    )
    return 0 if good else FAILED


def _move(output: Output, asked: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from twisted.python.usage import UsageError  # noqa: PLC0415

    from livechat.command.configured import config_of  # noqa: PLC0415
    from livechat.command.moving import moved  # noqa: PLC0415
    from livechat.command.moving.exporting import export  # noqa: PLC0415
    from livechat.command.moving.importing import bring  # noqa: PLC0415

    file, secret = Path(asked.file), asked.with_secret and Path(asked.with_secret)
    try:
        config = config_of(asked.options, environment, asked.state, asked.rundir)
    except (StartError, UsageError) as reason:
        raise CommandError(str(reason)) from None
    if asked.command == "export":
        found = export(file, config, resume=asked.resume, secret=secret)
    else:
        found = bring(file, config, anew=asked.anew, secret=secret)
    output.show(moved.to_json(found), moved.to_words(file, found, f"{asked.command}ed"))
    return FAILED if found.others else 0


def _ask_token(client: Client, output: Output, asked: argparse.Namespace) -> None:
    if asked.action == "check":
        granting.check_token(client, output, asked.token)
    else:
        granting.make_token(client, output, _token(asked))


def _token(asked: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"user": asked.user, "name": asked.name, "role": asked.role}
    found["seconds"] = asked.seconds
    if asked.room:
        found["rooms"] = _rooms(asked.room)
    return {name: value for name, value in found.items() if value is not None}


def _key(asked: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"name": asked.name, "rooms": _rooms(asked.room), "as": asked.as_users}
    found |= {"seconds": asked.seconds, "rate": asked.rate, "scope": asked.scope}
    return {name: value for name, value in found.items() if value is not None}


def _rooms(given: Sequence[str]) -> dict[str, list[str]]:
    try:
        return granting.rooms_of(given)
    except ValueError as reason:
        raise CommandError(str(reason)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="livechat",
        description="Tokens, keys, operators, checks and backups of a livechat server.",
        epilog="The server itself is started by: twistd -n livechat. Without --server it is the"
        " one that runs on the state directory (LIVECHAT_STATE, LIVECHAT_PORT); its local-key"
        " is used, or LIVECHAT_KEY.",
        allow_abbrev=False,
        parents=[_common()],
    )
    parser.set_defaults(json=False, server=None, state=None, config=None, rundir=None)
    common = _common()
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, to: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = to.add_parser(
            name, parents=[common], help=text, description=text, allow_abbrev=False
        )
        return made

    _add_token(add)
    _add_keys(add)
    _add_operators(add)
    _add_rooms(add)
    webhook = add("webhook", "Receivers of events: try one, see how they are, tell them anew.")
    webhook_options.add_webhooks(add, _with_actions(webhook))
    check = add("check", "Whether a server could run with these options, or does.")
    check.add_argument("--alive", action="store_true", help="check only whether the server answers")
    check.add_argument(
        "options", nargs="*", metavar="-- OPTION", help="options of the server, behind --"
    )
    backup = add("backup", "Copy the state directory into one tar archive, while it is in use.")
    backup.add_argument("file", metavar="FILE", help="- is the standard output")
    restored = add("restore", "Unpack such an archive into an empty state directory.")
    restored.add_argument("file", metavar="FILE")
    _add_moving(add)
    add("version", "The version of this command.")
    return parser


def _add_moving(add: Any) -> None:
    exported = add("export", "Write all rooms to a file, or all that is kept of a person.")
    exported.add_argument("--user", metavar="ID", help="only the data of this person")
    exported.add_argument("--guest", action="store_true", help="the person is a guest")
    imported = add("import", "Bring the rooms of such a file into SQLite or Redis.")
    exported.add_argument(
        "--resume", action="store_true", help="go on with an export that was stopped"
    )
    imported.add_argument(
        "--anew", action="store_true", help="begin other numberings: clients are told of a gap"
    )
    for each, text in ((exported, "write"), (imported, "read")):
        each.add_argument("file", metavar="FILE")
        each.add_argument(
            "--with-secret", metavar="FILE", help=f"{text} the secret by which guests are known"
        )
        each.add_argument(
            "options", nargs="*", metavar="-- OPTION", help="options of the server, behind --"
        )


def _common() -> argparse.ArgumentParser:
    """Make the options of all commands, before a command's name or behind it."""
    # Without defaults, as a command's defaults would replace options before its name.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--json", action="store_true", help="print JSON, for programs")
    common.add_argument("--server", metavar="URL", help="such as https://chat.example:10443")
    common.add_argument("--state", metavar="DIR", help="the server's state directory")
    common.add_argument(
        "--config", metavar="FILE", help="the file of its variables, such as /etc/livechat.conf"
    )
    common.add_argument("--rundir", metavar="DIR", help="its working directory [this one]")
    return common


def _add_token(add: Any) -> None:
    token = add("token", "Make a token for a user of the site; or check one.")
    token.add_argument("action", nargs="?", choices=("check",), help="say why one is refused")
    token.add_argument("token", nargs="?", metavar="TOKEN", help="the token to check; - reads it")
    token.add_argument("--user", metavar="ID", help="the user's id at the site")
    token.add_argument("--name", help="the user's name, as others see it")
    token.add_argument("--role", help="a badge, such as vip")
    _add_grants(token, "--room")
    _add_lifetime(token)
    token.set_defaults(ask=_ask_token)


def _add_grants(parser: argparse.ArgumentParser, flag: str, *, required: bool = False) -> None:
    parser.add_argument(
        flag,
        action="append",
        default=[],
        required=required,
        metavar="PATTERN=RIGHTS",
        help="rights in rooms, such as 'team-*=join,send'; * is all; may be repeated",
    )


def _add_lifetime(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for", dest="seconds", type=_seconds, metavar="TIME", help="how long (s, m, h, d)"
    )


def _seconds(text: str) -> int:
    try:
        found = option_values.duration(text)
    except ValueError:
        found = 0
    if found == 0:
        raise argparse.ArgumentTypeError("must be a time, such as 90s, 15m, 12h or 30d")
    return found


def _add_keys(add: Any) -> None:
    actions = _with_actions(add("key", "Keys of back ends."))
    made = add("add", "Make a key, and print it.", actions)
    made.add_argument("name", metavar="NAME")
    _add_grants(made, "--room")
    made.add_argument(
        "--as", dest="as_users", action="store_true", help="let the key name users, and mint tokens"
    )
    _add_lifetime(made)
    made.add_argument("--rate", type=float, metavar="N", help="messages a second [1000]")
    made.add_argument("--scope", choices=("metrics",), help="let the key read /metrics")
    made.set_defaults(ask=lambda client, out, asked: granting.add_key(client, out, _key(asked)))
    listed = add("list", "The keys that there are.", actions)
    listed.set_defaults(ask=lambda client, out, _: granting.list_keys(client, out))
    dropped = add("drop", "Let a key count no more.", actions)
    dropped.add_argument("id", metavar="ID")
    dropped.set_defaults(ask=lambda client, out, asked: granting.drop_key(client, out, asked.id))


def _add_operators(add: Any) -> None:
    actions = _with_actions(add("operator", "Operators of the admin page, by name."))
    made = add("add", "Make an operator, and print the password; or change one.", actions)
    made.add_argument("name", metavar="NAME")
    _add_grants(made, "--can", required=True)
    made.add_argument(
        "--password-file", metavar="FILE", help="the operator's own password; - reads it"
    )
    made.set_defaults(ask=_add_operator)
    listed = add("list", "The operators that there are.", actions)
    listed.set_defaults(ask=lambda client, out, _: granting.list_operators(client, out))
    dropped = add("drop", "Drop an operator; their sessions end.", actions)
    dropped.add_argument("name", metavar="NAME")
    dropped.set_defaults(
        ask=lambda client, out, asked: granting.drop_operator(client, out, asked.name)
    )


def _add_operator(client: Client, output: Output, asked: argparse.Namespace) -> None:
    granting.add_operator(client, output, asked.name, _rooms(asked.can), asked.password_file)


def _with_actions(parser: argparse.ArgumentParser) -> Any:
    return parser.add_subparsers(dest="action", required=True, metavar="ACTION")


def _add_rooms(add: Any) -> None:
    tail = add("tail", "Print a room's messages as they come.")
    tail.add_argument("room", metavar="ROOM")
    tail.add_argument(
        "--last", type=_count, default=10, metavar="N", help="messages to begin with [10]"
    )
    tail.set_defaults(
        ask=lambda client, out, asked: talking.Tail(client, out).run(asked.room, asked.last)
    )
    say = add("say", "Say something in a room.")
    say.add_argument("room", metavar="ROOM")
    say.add_argument("text", nargs="?", metavar="TEXT", help="without it, the standard input")
    say.add_argument("--user", metavar="ID", help="say it for this user of the site")
    say.add_argument("--name", help="the user's name, as others see it")
    say.set_defaults(ask=_say)
    _add_trace(add)
    forget = add("forget", "Forget a person: what they said, and who they were.")
    forget.add_argument("user", metavar="USER", help="the person's id")
    forget.add_argument("--guest", action="store_true", help="the person is a guest")
    forget.set_defaults(
        ask=lambda client, out, asked: people.forget(client, out, asked.user, guest=asked.guest)
    )
    act = add("act", "Do what a frame of livechat.v1 asks for, and print the answer.")
    act.add_argument("room", metavar="ROOM")
    act.add_argument("done", nargs="?", metavar="JSON", help="without it, the standard input")
    act.set_defaults(
        ask=lambda client, out, asked: talking.act(client, out, asked.room, asked.done)
    )


def _add_trace(add: Any) -> None:
    trace = add("trace", "Print the frames of a room or a person, as they come and go.")
    trace.add_argument("room", nargs="?", metavar="ROOM", help="trace everything in this room")
    trace.add_argument("--person", metavar="ID", help="trace this user, everywhere or in ROOM")
    trace.add_argument("--texts", action="store_true", help="show the frames themselves")
    _add_lifetime(trace)
    trace.set_defaults(
        ask=lambda client, out, asked: tracing.trace(
            client, out, asked.room, asked.person, seconds=asked.seconds, texts=asked.texts
        )
    )


def _say(client: Client, output: Output, asked: argparse.Namespace) -> None:
    user = None if asked.user is None else {"id": asked.user}
    if user is not None and asked.name is not None:
        user["name"] = asked.name
    talking.say(client, output, asked.room, asked.text, user)


def _count(text: str) -> int:
    try:
        return option_values.integer(0, 1_000)(text)
    except ValueError as reason:
        raise argparse.ArgumentTypeError(str(reason)) from None
