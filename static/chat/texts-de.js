// Die Texte auf Deutsch, die zuerst gebraucht werden. Zwischen den äußersten Klammern steht JSON, das auch der Server liest.

/** @type {import("./texts.js").First} */
export default {
  "direction": "ltr",
  "you": "Sie",
  "somebody": "Jemand",
  "verified": "bestätigt",
  "verified.why": "Bestätigt: auf der Website angemeldet, zu der dieser Chat gehört",
  "failed": "Der Chat kann nicht geladen werden.",

  "join.name": "Ihr Name",
  "join.hint": "So sehen ihn die anderen",
  "join.enter": "Eintreten",
  "join.refused": "Das kann kein Name sein. Ein Name hat 1 bis 40 Zeichen, keine Steuerzeichen, und am Anfang und am Ende steht etwas, das zu sehen ist.",

  "launcher.open": "Chat",
  "launcher.unread": { "one": "{label}, 1 neue Nachricht", "other": "{label}, {count} neue Nachrichten" },
  "launcher.close": "Chat schließen",

  "entrance.nobody": "Im Augenblick ist niemand hier.",
  "entrance.people": { "one": "{count} Person ist hier.", "other": "{count} Personen sind hier." },
  "entrance.open": "Alle, die den Link haben, können mitlesen.",
  "entrance.read": "Alle, die den Link haben, können mitlesen; Gäste können nicht schreiben.",
  "entrance.members": "Nur Mitglieder können mitlesen.",
  "entrance.last": "Zuletzt gesagt",
  "entrance.silent": "Hier wurde noch nichts gesagt.",
  "entrance.unconfirmed": "So nennt der Link den Raum {room}. Niemand hat das bestätigt.",

  "room.chat": "Chat in {room}",
  "room.messages": "Nachrichten",
  "room.earlier": "Frühere Nachrichten",
  "room.loading": "Wird geladen…",
  "room.unloaded": "Frühere Nachrichten konnten nicht geladen werden. Noch einmal versuchen",
  "room.begins": "Hier beginnt das Gespräch.",
  "room.now": "Sie sehen, was von jetzt an gesagt wird.",
  "room.waiting": "Noch nicht gesendet",
  "room.people": "Personen",
  "room.retry": "Jetzt versuchen",
  "room.unread": "Neue Nachrichten",
  "room.newer": { "one": "{count} neue Nachricht", "other": "{count} neue Nachrichten" },
  "room.newest": "Neueste Nachrichten",

  "gap.trimmed": {
    "one": "Sie haben {count} Nachricht verpasst, die abgelaufen war, bevor Sie zurückkamen.",
    "other": "Sie haben {count} Nachrichten verpasst, die abgelaufen waren, bevor Sie zurückkamen."
  },
  "gap.epoch": "Der Raum hat neu begonnen, während Sie weg waren. Sie haben vielleicht Nachrichten verpasst.",
  "gap.forbidden": "Sie haben vielleicht Nachrichten verpasst.",

  "banner.connecting": "Verbindung wird aufgebaut…",
  "banner.connected": "Verbunden.",
  "banner.lost": "Verbindung wird wieder aufgebaut… Was Sie senden, wartet bis dahin.",
  "banner.away": "Der Server ist nicht zu erreichen. Neuer Versuch…",
  "banner.signed-out": "Sie sind abgemeldet. Melden Sie sich auf dieser Website wieder an, um fortzufahren.",
  "banner.unknown": "Diese Website sagt im Moment nicht, wer Sie sind. Neuer Versuch…",
  "banner.origin": "Diese Seite darf den Chat nicht benutzen: Der Betreiber des Chats muss es erlauben.",

  "composer.message": "Nachricht",
  "composer.hint": "Schreiben Sie etwas",
  "composer.send": "Senden",
  "composer.empty": "In dieser Nachricht ist nichts zu sehen.",

  "line.edited": "bearbeitet",
  "line.edited-at": "Bearbeitet: {time}",

  "quote.unknown": "Eine frühere Nachricht",

  "people.count": { "one": "{count} Person", "other": "{count} Personen" },

  "ignored.line": "Sie ignorieren {name} · {button}",
  "ignored.show": "zeigen",
  "ignored.hide": "ausblenden",

  "days.jump": "Zu einem Datum springen"
};
