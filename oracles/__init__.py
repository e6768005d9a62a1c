"""What the library is compared with: published recursions, exact worst cases and the problems that have them.

Nothing here knows the library: a wrong index would shift both sides of a comparison if they had one source.
"""
