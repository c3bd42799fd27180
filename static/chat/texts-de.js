// Die Texte auf Deutsch. Zwischen den äußersten Klammern steht JSON: auch der Server liest es, für seine Seiten.

/** @type {import("./texts.js").Catalogue} */
export default {
  "direction": "ltr",

  "join.name": "Ihr Name",
  "join.hint": "So sehen ihn die anderen",
  "join.enter": "Eintreten",

  "launcher.open": "Chat",
  "launcher.unread": { "one": "{label}, 1 neue Nachricht", "other": "{label}, {count} neue Nachrichten" },
  "launcher.close": "Chat schließen",

  "entrance.people": { "one": "{count} Person ist hier.", "other": "{count} Personen sind hier." },
  "entrance.open": "Alle, die den Link haben, können mitlesen.",
  "entrance.members": "Nur Mitglieder können mitlesen.",
  "entrance.last": "Zuletzt gesagt",
  "entrance.silent": "Hier wurde noch nichts gesagt.",
  "entrance.unconfirmed": "So nennt der Link den Raum {room}. Niemand hat das bestätigt.",
  "entrance.fault": "Diese Seite nennt einen Raum, den es nicht geben kann. Der Fehler liegt bei der Seite, nicht bei Ihnen.",
  "entrance.misnamed": "Die Seite nennt den Raum „{room}“.",

  "invite.copy": "Einladung kopieren",
  "invite.copied": "Die Einladung ist kopiert.",
  "invite.link": "Die Einladung",
  "invite.keep": "Diesen Titel behalten",
  "invite.leave": "Raum verlassen",

  "room.chat": "Chat in {room}",
  "room.messages": "Nachrichten",
  "room.earlier": "Frühere Nachrichten",
  "room.begins": "Hier beginnt das Gespräch.",
  "room.waiting": "Noch nicht gesendet",
  "room.pinned": "Angeheftet",
  "room.people": "Personen",
  "room.ignored": "Sie ignorieren",
  "room.rename": "Namen ändern",
  "room.retry": "Jetzt versuchen",
  "room.actions": "Aktionen zur Nachricht",

  "composer.cancel": "Abbrechen",
  "composer.message": "Nachricht",
  "composer.hint": "Schreiben Sie etwas",
  "composer.send": "Senden",

  "dialog.close": "Schließen"
};
