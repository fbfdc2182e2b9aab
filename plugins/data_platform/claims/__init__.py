"""Kinds of claims: what one component makes for another, one module a kind.

What a kind is made of: `data_platform.stack.claim`. A component claims it in `claims:`, another serves it by `serves:`.
Clients of servers are imported inside of functions: the kinds are imported to read `component.yaml`.
"""
