"""Text to documents that know their file and line, and documents back to text. Start reading at `sources`."""
