"""Commands for one machine and a clone of the project: `up`, `start`, `stop`, `demo`, `env`, `new`, `remove`.

They may import `shopmesh.local` and `shopmesh.new`. Start reading at `up`.
"""
