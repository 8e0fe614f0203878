"""The webinar, played on one machine under load, and judged."""
