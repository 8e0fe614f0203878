"""Projects, services and versions of them, made from templates, and services taken out again.

    init       the demo's files, templates ─┐
    scaffold   templates, lists of lines ───┴─► FileTransaction ─► apply: all files or none

It reads and writes files of the project, and asks git whether those that change are committed.
Start reading at `scaffold`.
"""
