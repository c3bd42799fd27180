"""uWebSockets, through socketify: a topic for each room."""

from __future__ import annotations

from socketify import (
    App,
    AppListenOptions,
    AppOptions,
    CompressOptions,
    OpCode,
    Request,
    Response,
    WebSocket,
)

from .options import options, ready, repeated


def upgrade(response: Response, request: Request, context: object) -> None:
    """Accept a member, and keep its room."""
    key, protocol, extensions = (
        request.get_header(f"sec-websocket-{name}") for name in ("key", "protocol", "extensions")
    )
    response.upgrade(key, protocol, extensions, context, request.get_parameter(0))


def main() -> None:
    given = options()
    app = App(AppOptions(key_file_name=given.key, cert_file_name=given.certificate))

    def joined(member: WebSocket) -> None:
        member.subscribe(member.get_user_data())

    def said(member: WebSocket, frame: str, _: OpCode) -> None:
        app.publish(member.get_user_data(), repeated(frame), OpCode.TEXT)

    app.ws(
        "/ws/chat/:room/",
        {
            "compression": CompressOptions.DISABLED,
            "send_pings_automatically": True,
            # With its default of 64 KiB, slow members lose messages.
            "max_backpressure": 64 << 20,
            "upgrade": upgrade,
            "open": joined,
            "message": said,
        },
    )
    app.listen(AppListenOptions(port=given.port, host="127.0.0.1"), lambda _: ready())
    app.run()


main()
