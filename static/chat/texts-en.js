// The texts in English. What is between the outermost braces is JSON: the server reads it for its pages, too.

export default {
  "direction": "ltr",

  "join.name": "Your name",
  "join.hint": "As others see it",
  "join.enter": "Join",

  "launcher.open": "Chat",
  "launcher.unread": { "one": "{label}, 1 new message", "other": "{label}, {count} new messages" },
  "launcher.close": "Close the chat",

  "entrance.people": { "one": "{count} person is here.", "other": "{count} people are here." },
  "entrance.open": "Everybody who has the link can read along.",
  "entrance.members": "Only members can read along.",
  "entrance.last": "Said last",
  "entrance.silent": "Nothing has been said here yet.",
  "entrance.unconfirmed": "That is what the link calls the room {room}. Nobody has confirmed it.",
  "entrance.fault": "This page asks for a room that cannot be. The fault is the page’s, not yours.",
  "entrance.misnamed": "The page calls the room “{room}”.",

  "invite.copy": "Copy the invitation",
  "invite.copied": "The invitation is copied.",
  "invite.link": "The invitation",
  "invite.keep": "Keep this title",
  "invite.leave": "Leave the room",

  "room.chat": "Chat in {room}",
  "room.messages": "Messages",
  "room.earlier": "Earlier messages",
  "room.begins": "The conversation begins here.",
  "room.waiting": "Not sent yet",
  "room.pinned": "Pinned",
  "room.people": "People",
  "room.ignored": "You ignore",
  "room.rename": "Change your name",
  "room.retry": "Try now",
  "room.actions": "Message actions",

  "composer.cancel": "Cancel",
  "composer.message": "Message",
  "composer.hint": "Say something",
  "composer.send": "Send",

  "dialog.close": "Close"
};
