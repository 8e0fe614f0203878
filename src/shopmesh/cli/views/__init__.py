"""TODO: say what `shopmesh/cli/views` is."""
