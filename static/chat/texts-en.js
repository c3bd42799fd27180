// The texts in English that are needed first. What is between the outermost braces is JSON, which the server reads, too.

export default {
  "direction": "ltr",
  "you": "You",
  "somebody": "Somebody",
  "verified": "verified",
  "verified.why": "Verified: signed in on the site that this chat belongs to",
  "failed": "The chat cannot be loaded.",

  "join.name": "Your name",
  "join.hint": "As others see it",
  "join.enter": "Join",
  "join.refused": "This cannot be a name. A name has 1 to 40 characters and no control characters, and begins and ends with something that is to be seen.",

  "launcher.open": "Chat",
  "launcher.unread": { "one": "{label}, 1 new message", "other": "{label}, {count} new messages" },
  "launcher.close": "Close the chat",

  "entrance.nobody": "Nobody is here at the moment.",
  "entrance.people": { "one": "{count} person is here.", "other": "{count} people are here." },
  "entrance.open": "Everybody who has the link can read along.",
  "entrance.read": "Everybody who has the link can read along, but guests cannot write.",
  "entrance.members": "Only members can read along.",
  "entrance.last": "Said last",
  "entrance.silent": "Nothing has been said here yet.",
  "entrance.unconfirmed": "That is what the link calls the room {room}. Nobody has confirmed it.",

  "room.chat": "Chat in {room}",
  "room.messages": "Messages",
  "room.earlier": "Earlier messages",
  "room.loading": "Loading…",
  "room.unloaded": "Earlier messages could not be loaded. Try again",
  "room.begins": "The conversation begins here.",
  "room.now": "You see what is said from now on.",
  "room.waiting": "Not sent yet",
  "room.people": "People",
  "room.retry": "Try now",
  "room.unread": "New messages",
  "room.newer": { "one": "{count} new message", "other": "{count} new messages" },
  "room.newest": "Newest messages",

  "gap.trimmed": {
    "one": "You missed {count} message, which expired before you came back.",
    "other": "You missed {count} messages, which expired before you came back."
  },
  "gap.epoch": "The room began anew while you were away. You may have missed messages.",
  "gap.forbidden": "You may have missed messages.",

  "banner.connecting": "Connecting…",
  "banner.connected": "Connected.",
  "banner.lost": "Reconnecting… What you send waits until then.",
  "banner.away": "The server cannot be reached. Trying again…",
  "banner.signed-out": "You are signed out. Sign in on this site again, to go on.",
  "banner.unknown": "This site does not say who you are at the moment. Trying again…",
  "banner.origin": "This page may not use the chat: the chat’s operator has to allow it.",

  "composer.message": "Message",
  "composer.hint": "Say something",
  "composer.send": "Send",
  "composer.empty": "There is nothing to be seen in this message.",

  "line.edited": "edited",
  "line.edited-at": "Edited {time}",

  "quote.unknown": "An earlier message",

  "people.count": { "one": "{count} person", "other": "{count} people" },

  "ignored.line": "You ignore {name} · {button}",
  "ignored.show": "show",
  "ignored.hide": "hide",

  "days.jump": "Jump to a date"
};
