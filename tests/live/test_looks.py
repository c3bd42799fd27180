"""The unseen characters of `livechat.protocol.looks` are those of Unicode, as Node.js knows it."""

from __future__ import annotations

import json
import re

from livechat.protocol.looks import UNSEEN
from tests.live.daemon import tool

#: The code points that are ignorable or white space.
SCRIPT = r"""
const found = [];
for (let point = 0; point < 0x110000; point++) {
  if (/[\p{Default_Ignorable_Code_Point}\p{White_Space}]/u.test(String.fromCodePoint(point))) {
    found.push(point);
  }
}
console.log(JSON.stringify(found));
"""
#: And what is unseen besides: control characters, anchors of annotations, the braille blank.
BESIDES = {*range(0x20), *range(0x7F, 0xA0), 0x2800, *range(0xFFF9, 0xFFFC)}


def test_the_table() -> None:
    """The table has every ignorable character, and no other."""
    unseen = re.compile(f"[{UNSEEN}]")
    ours = {point for point in range(0x110000) if unseen.match(chr(point))}
    assert ours - BESIDES == {*json.loads(tool("node", "-e", SCRIPT))} - BESIDES
