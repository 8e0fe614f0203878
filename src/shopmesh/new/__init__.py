"""Services, and versions of them, made from templates in a clone of the project, and taken out again.

    templates, lists ─► plan ─► Changes ─► apply: all of them or none

It reads and writes files of the clone, and asks git whether all of them are committed.
"""
