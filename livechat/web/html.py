"""
Pages, rendered by Jinja.

Whatever a template is given is text, and is escaped; numbers and times are
put into words here, so that all pages say them alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import humanize

from livechat import metrics
from livechat.errors import ChatError
from livechat.http.response import Headers, Response, belonging
from livechat.protocol.messages import User
from livechat.web import files
from livechat.web.texts import choose

if TYPE_CHECKING:
    from jinja2 import Environment

#: The policy of pages: they load from, and send forms to, this server alone.
_POLICY: Final = (
    "Content-Security-Policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
)
_HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    _POLICY,
)
#: Characters of an id in a tag.
_TAG: Final = 4


def folder(name: str) -> Path:
    """
    Find the folder ``templates`` or ``static``: inside the package where it was
    installed, beside it in a checkout.
    """
    package = Path(__file__).parent.parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


@cache
def environment(base: str = "") -> Environment:
    """
    Jinja, with its compiled templates: compiling a page takes longer than rendering it.

    @param base: the path below which everything is.
    """
    # The import takes a twentieth of a start, so it waits for the first page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=FileSystemLoader(folder("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": _count,
        "rate": _rate,
        "size": _size,
        "span": span,
        "days": _days,
        "ago": _ago,
        "moment": _moment,
        "utc": _utc,
        "date": _date,
        "tag": tag,
        "with": _with,
        "static": partial(_static, base),
    }
    made.globals["base"] = base
    return made


class Templates:
    """
    The templates, and the functions with which they put things into words.

    @ivar base: the path below which everything is: `base` to templates, too.
    """

    def __init__(self, base: str = "") -> None:
        self.base = base

    @property
    def _environment(self) -> Environment:
        return environment(self.base)

    def load(self) -> None:
        """Load Jinja, which otherwise waits for the first page."""
        _ = self._environment

    def text(self, template: str, **values: Any) -> str:
        """A template, or a part of a page, as text."""
        return self._environment.get_template(template).render(
            {"t": choose("", folder("static"), folder("templates")), **values}
        )

    def page(
        self,
        template: str,
        *,
        error: ChatError | None = None,
        headers: Headers = (),
        languages: str = "",
        **values: Any,
    ) -> Response:
        """
        A whole page, not to be kept by anybody.

        @param languages: the ``Accept-Language`` of a browser whose language the page has.
        @param error: what went wrong, which the page says and its status is.
        """
        t = choose(languages, folder("static"), folder("templates"))
        text = self.text(template, error=error, t=t, **values)
        status: int = HTTPStatus.OK
        if error is not None:
            metrics.refused(error.kind.code)
            status, headers = error.kind.status, (*headers, *belonging(error))
        return Response(status, text.encode(), (*_HEADERS, *headers))


def _count(number: int) -> str:
    """Format 12345 as 12,345."""
    return humanize.intcomma(number)


def _rate(number: float) -> str:
    """Format a rate, with decimals only if it is no whole number."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def _size(number: int) -> str:
    """Format a number of bytes."""
    return humanize.naturalsize(number, binary=True, format="%.0f")


def span(seconds: float) -> str:
    """A time that has passed or is granted."""
    if seconds < 60:
        return humanize.naturaldelta(seconds)
    return humanize.precisedelta(seconds, minimum_unit="minutes", format="%.0f")


def _days(seconds: float) -> str:
    """Format a granted time, rounded down to days."""
    if seconds < 86_400:
        return span(seconds)
    return humanize.naturaldelta(seconds // 86_400 * 86_400, months=False)


def _ago(seconds: float) -> str:
    """Format the age of a time."""
    return "just now" if seconds < 1 else f"{humanize.naturaldelta(seconds)} ago"


def _moment(milliseconds: int) -> str:
    """Format a time for ``<time datetime>``, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(milliseconds: int) -> str:
    """Format a time for people, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _with(given: Mapping[str, object], **more: object) -> dict[str, object]:
    """Join the query's fields *given* and *more*; drop empty ones."""
    return {name: value for name, value in {**given, **more}.items() if value not in (None, "")}


def tag(user: User) -> str:
    """A short form of a user's id, which tells people of one name apart."""
    if not user.verified:
        return user.id[:_TAG]
    # A site's users often have ids that begin alike.
    return user.id if len(user.id) <= 2 * _TAG else f"{user.id[:_TAG]}…{user.id[-_TAG:]}"


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _static(base: str, name: str) -> str:
    """Return a static file's address with its digest, which browsers cache for ever."""
    return f"{base}/static/{files.read(folder('static')).newest[name]}"
