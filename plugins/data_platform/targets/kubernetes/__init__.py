"""The `kubernetes` target: Helm releases in the namespaces of the platform."""
