"""Files that users name, read within bounds, and files that no other user of this machine can read.

Imports nothing of shopmesh.
"""
