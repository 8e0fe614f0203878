"""The report of a load: figures, plots, and its forms as text, HTML and JSON. Pure. Start reading at `report`."""
