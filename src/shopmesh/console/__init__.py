"""The console: what the mesh looks like now, in a browser."""
