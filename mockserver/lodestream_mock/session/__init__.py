"""Sessions: what one tenant (or one `lodestream-session` header) has done to the mock so far, on its own clock."""
