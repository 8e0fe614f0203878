"""What commands print: pure functions from answers of the control plane to text and tables. Nothing is asked here."""
