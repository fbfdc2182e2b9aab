"""Tools of the component `analysis`: judge tables by Great Expectations, draw pages from them, publish both."""
