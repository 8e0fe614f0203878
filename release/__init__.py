"""Makes and checks releases of this repository; begin with `__main__`. It is no part of the package that users install.

checks ─► archives, manifests, inventory ─► checksums ─► dist/VERSION ─► verification, by those who fetch it
"""
