"""Search from everywhere: people by anything that is known of them, and the screens."""
