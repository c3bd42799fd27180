"""What happens in a room."""
