"""The `local` target: real servers as supervised processes of one user on one machine."""
