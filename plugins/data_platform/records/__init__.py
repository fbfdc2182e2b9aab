"""What the platform keeps about itself, in the database `platform`: results of checks, and who changes it at present.

`writes` alone writes, `schema` alone makes and changes tables, and what reads creates nothing.
"""
