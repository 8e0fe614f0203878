"""What a mesh is: the App Mesh API's model, rules, annotations and findings.

Nothing here does I/O: no sockets, no clock, no files, no framework. Time and ids come in as arguments.

Start reading at `store` (keys, resources, views), then `resolved`.
"""
