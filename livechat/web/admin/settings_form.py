"""
The form of a room's settings: its fields, and the change that it asks for.

A field that its operator left alone is not sent on.  The form says by a digest how each setting
was when the page was made.  So an old page changes nothing silently that somebody else has changed
meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct

from livechat.errors import ChatError, Kind
from livechat.protocol.settings import (
    LONGEST_EDIT,
    LONGEST_HISTORY,
    LONGEST_TITLE,
    LONGEST_TOPIC,
    MOST_HISTORY,
    MOST_RATE,
    MOST_WORDS,
    SLOWEST,
    AskedChange,
    RoomSettings,
    SettingsChange,
)

_Kind = Literal["text", "number", "choice", "words"]


class Field(Struct, frozen=True):
    """
    A setting, as the form has it.

    @ivar kind: the way in which it is typed.
    @ivar hint: its effect, in words.
    @ivar most: characters of a text; the largest number.
    @ivar choices: its values, and how they are called.
    """

    name: str
    label: str
    kind: _Kind
    hint: str = ""
    most: int = 0
    choices: tuple[tuple[str, str], ...] = ()


_ON: Final = (("on", "yes"), ("off", "no"))
FIELDS: Final = (
    Field("title", "Title", "text", "Shown above the room.", LONGEST_TITLE),
    Field("topic", "Topic", "text", "Shown below the title.", LONGEST_TOPIC),
    Field("pinned", "Pinned message", "number", "The number of a message.", 10**15 - 1),
    Field("closed", "Closed", "choice", "Only those that moderate may enter.", 0, _ON),
    Field("members", "Members only", "choice",
          "Only those whose token or key names the room may enter.", 0, _ON),
    Field("guests", "Guests", "choice", "", 0,
          (("on", "chat"), ("read", "read only"), ("off", "stay out"))),
    Field("listed", "Listed", "choice", "Anybody finds the room, on the front page too.", 0, _ON),
    Field("slow", "Slow mode", "number", "Seconds between two messages of a person; 0: none.",
          SLOWEST),
    Field("rate", "Rate", "number", "Messages a second of the whole room; 0: no limit.", MOST_RATE),
    Field("hold", "Hold", "choice", "Messages that wait for a review.", 0,
          (("none", "none"), ("guests", "those of guests"), ("all", "all"))),
    Field("links", "Links", "choice", "Messages with a link.", 0,
          (("allow", "are said"), ("hold", "wait for a review"), ("refuse", "are refused"))),
    Field("words", "Refused words", "words",
          f"One a line, at most {MOST_WORDS}. Messages with one of them are refused."),
    Field("edit", "Editing", "number", "Seconds for which authors can edit; 0: not at all.",
          LONGEST_EDIT),
    Field("presence", "Presence", "choice", "Members are told of each other.", 0, _ON),
    Field("history_limit", "History", "number", "Messages and events that are kept; 0: as the "
          "server does.", MOST_HISTORY),
    Field("history_age", "Age of the history", "number", "Seconds for which they are; 0: as the "
          "server does.", LONGEST_HISTORY),
)  # fmt: skip


class Shown(Struct, frozen=True):
    """
    A field with its contents.

    @ivar value: the setting's own, as it is typed in; "" where it is inherited.
    @ivar inherited: the value that holds, or would, where the setting is inherited.
    @ivar own: the setting is not inherited.
    @ivar empty: its own value is empty, in place of an inherited one that is not.
    @ivar error: the reason why its value was refused.
    """

    field: Field
    value: str
    inherited: str
    own: bool
    empty: bool
    error: str = ""

    @property
    def can_be_empty(self) -> bool:
        """Tell whether an empty value may be other than an inherited one."""
        return self.field.kind in ("text", "words") and (bool(self.inherited) or self.empty)


def shown(
    own: SettingsChange,
    inherited: RoomSettings,
    names: Collection[str],
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> list[Shown]:
    """
    The fields for those that may change *names*.

    @param typed: a form that was refused, whose changes are shown again.
    """
    found = []
    for field in FIELDS:
        if field.name not in names:
            continue
        value = getattr(own, field.name)
        text = "" if value is UNSET else _text(value)
        empty = value is not UNSET and text == ""
        if typed is not None and _is_changed(field, typed):
            text, empty = typed[field.name], f"empty.{field.name}" in typed
        above = _text(getattr(inherited, field.name))
        error = (errors or {}).get(field.name, "")
        found.append(Shown(field, text, above, value is not UNSET, empty, error))
    return found


def _is_changed(field: Field, form: Mapping[str, str]) -> bool:
    """Tell whether the operator has changed a field of a form."""
    if field.name not in form:
        return False
    try:
        return _digest(_parsed(field, form)) != _seen(form).get(field.name)
    except ValueError:
        return True


def before(own: SettingsChange, names: Collection[str]) -> str:
    """The present settings, for the form to say later."""
    found = {each: _digest(getattr(own, each)) for each in names}
    return msgspec.json.encode(found, order="sorted").decode()


class Refused(ChatError):
    """
    A form that cannot be taken.

    @ivar fields: the reasons, by the setting's name.
    """

    def __init__(self, kind: Kind, detail: str, fields: Mapping[str, str]) -> None:
        super().__init__(kind, detail)
        self.fields = fields


def change_of(
    form: Mapping[str, str], own: SettingsChange, names: Collection[str]
) -> dict[str, Any]:
    """
    Find what the form changes, by the settings' names; None: to be inherited again.

    @param own: the settings as they are now.
    @raise Refused: a value is none, or was changed by somebody else meanwhile.
    """
    seen = _seen(form)
    found: dict[str, Any] = {}
    errors: dict[str, str] = {}
    meanwhile: dict[str, str] = {}
    for field in FIELDS:
        name = field.name
        if name not in names or name not in form or name not in seen:
            continue
        try:
            value = _parsed(field, form)
        except ValueError as reason:
            errors[name] = str(reason)
            continue
        if _digest(value) == seen[name]:
            continue
        now = getattr(own, name)
        if _digest(now) not in (seen[name], _digest(value)):
            text = "it is inherited" if now is UNSET else f"it is “{_text(now)}”"
            meanwhile[name] = f"Somebody else has changed this meanwhile: {text} now."
            continue
        found[name] = None if value is UNSET else value
    if errors:
        raise Refused(Kind.BAD_FORM, "Nothing was changed: see what is marked below.", errors)
    if meanwhile:
        detail = "Nothing was changed: somebody else was faster. See what is marked below."
        raise Refused(Kind.TOO_LATE, detail, meanwhile)
    return found


def _seen(form: Mapping[str, str]) -> dict[str, str]:
    try:
        return msgspec.json.decode(form.get("before", ""), type=dict[str, str])
    except msgspec.DecodeError:
        raise ChatError(Kind.BAD_FORM, "The form does not say of which settings it is.") from None


def _parsed(field: Field, form: Mapping[str, str]) -> Any:
    """
    Parse a typed value; UNSET means inherited.

    @raise ValueError: the setting has no such value.
    """
    text = form[field.name].strip()
    if not text:
        if field.kind in ("text", "words") and f"empty.{field.name}" in form:
            return () if field.kind == "words" else ""
        return UNSET
    value: Any = text
    if field.kind == "number":
        value = _number(text, field.most)
    elif field.kind == "words":
        value = tuple(dict.fromkeys(each.strip() for each in text.splitlines() if each.strip()))
    elif field.choices == _ON:
        value = {"on": True, "off": False}.get(text, text)
    try:
        msgspec.convert({field.name: value}, AskedChange)
    except msgspec.ValidationError as reason:
        raise ValueError(f"{str(reason).partition(' - at')[0]}.") from None
    return value


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= most):
        raise ValueError(f"A whole number, at most {most}.")
    return int(text)


def _text(value: Any) -> str:
    """Format a value as one types it."""
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case tuple():
            return "\n".join(value)
    return str(value)


def _digest(value: Any) -> str:
    if value is UNSET:
        return ""
    return blake2b(msgspec.json.encode(value), digest_size=6).hexdigest()
