"""`python -m tests.parity` writes docs/parity.md anew."""

from __future__ import annotations

from tests.parity import PAGE, features, marks, page

if __name__ == "__main__":
    PAGE.write_text(page(features(), marks()))
