"""All output of the programs goes through here: text of others is escaped before a terminal or a log sees it.

Imports nothing of shopmesh. Start reading at `printable`.
"""
