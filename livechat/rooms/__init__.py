"""The rules of rooms: delivery, history, presence, moderation."""
