"""TODO: say what `shopmesh/server/store` is."""
