"""What Envoy needs: the translation of a mesh to xDS resources, and the xDS conversation as state machines.

Nothing here does I/O: no sockets, no clock, no files, no framework.
"""
