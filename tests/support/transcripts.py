"""Frames that a client of ``livechat.v1`` got, checked against the protocol's promises."""

from __future__ import annotations

from typing import Any

from livechat.protocol.messages import Place


class Transcript:
    """
    Checks, frame by frame, that nothing is missing without a word, comes twice, or comes
    out of order.

    @ivar place: what it has seen, from where it can resume; None if that is nothing yet.
    @ivar texts: what was said, in order.
    @ivar shown: the present texts of messages, by their numbers.
    @ivar taken_back: the numbers of messages that it was told are taken back.
    @ivar gaps: what was said to be missing.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self.texts: list[str] = []
        self.shown: dict[int, str] = {}
        self.taken_back: set[int] = set()
        self.gaps: list[str] = []
        # The numbering of what comes; and the number of the last one, None if any may come.
        self._epoch: str | None = None
        self._last: int | None = None
        self._resuming = False
        self._greeted = False

    def connect(self) -> None:
        """A new connection, which resumes from `place` if there is one."""
        self._greeted = False
        if self.place is not None:
            self.resume()

    def resume(self) -> None:
        """Expect the numbers after `place`, which the client asks for."""
        assert self.place is not None
        self._resuming = True
        self._epoch, self._last = self.place

    def add(self, frame: Any) -> None:
        """Check and count a frame."""
        kind = frame["type"]
        assert self._greeted == (kind != "hello"), frame
        if kind == "hello":
            self._greeted = True
            if not self._resuming:
                self._epoch, self._last = frame["epoch"], frame["seq"]
                self.place = Place(frame["epoch"], frame["seq"])
        elif kind == "resumed":
            self._resumed(frame)
        elif kind in {"message", "event"}:
            assert not self._resuming, f"{frame} before the answer"
            assert self._last in (None, frame["seq"] - 1), (self._last, frame)
            self._last = frame["seq"]
            assert self._epoch is not None
            self.place = Place(self._epoch, frame["seq"])
            if kind == "event":
                self._became(frame)
            else:
                assert frame["seq"] not in self.taken_back, f"{frame} was taken back"
                self.texts.append(frame["message"])
                self.shown[frame["seq"]] = frame["message"]

    def _became(self, event: Any) -> None:
        """Something became of messages; of such as were not shown here, too."""
        if event["event"] == "retracted":
            assert max(event["refs"]) < event["seq"], event
            self.taken_back.update(event["refs"])
            for ref in event["refs"]:
                self.shown.pop(ref, None)
        elif event["event"] == "edited" and event["ref"] in self.shown:
            assert event["ref"] < event["seq"], event
            self.shown[event["ref"]] = event["text"]

    def _resumed(self, frame: Any) -> None:
        self._resuming = False
        if frame["complete"]:
            assert frame["from"] == (self._last or 0) + 1, (self._last, frame)
            return
        self.gaps.append(frame["reason"])
        if frame["reason"] == "trimmed":
            assert self._last is None or frame["oldest"] > self._last + 1, (self._last, frame)
            self._last = frame["oldest"] - 1
        else:
            assert frame["reason"] == "epoch"
            self._epoch, self._last = frame["epoch"], None
