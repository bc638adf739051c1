"""Things done to many contacts at once, in the worker, with progress and a way back."""
