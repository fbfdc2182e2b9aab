"""The deep run: what it has to run, in which parts, and the record of what was proven when."""
