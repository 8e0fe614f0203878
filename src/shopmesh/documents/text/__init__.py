"""TODO: say what `shopmesh/documents/text` is."""
