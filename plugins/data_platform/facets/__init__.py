"""Facets: a module each. The base: `data_platform.stack.facet`; how they are found: `data_platform.stack.facets`."""
