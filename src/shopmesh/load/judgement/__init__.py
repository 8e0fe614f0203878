"""What the figures of a load prove: shares against weights, significance, assertions. Pure. Start at `assertions`."""
