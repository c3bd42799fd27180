// The texts in English. What is between the outermost braces is JSON: the server reads it for its pages, too.

export default {
  "direction": "ltr",

  "join.name": "Your name",
  "join.hint": "As others see it",
  "join.enter": "Join",

  "launcher.open": "Chat",
  "launcher.unread": { "one": "{label}, 1 new message", "other": "{label}, {count} new messages" },
  "launcher.close": "Close the chat",

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
