"""Identity: guests, tokens, keys, operators, and their rights."""
