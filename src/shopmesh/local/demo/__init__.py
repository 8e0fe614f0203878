"""The webinar's canary releases under load, and the verdict. Start reading at `run`."""
