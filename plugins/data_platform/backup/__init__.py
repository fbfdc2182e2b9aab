"""Kinds of backups: a module each, named as `backup.kind` in component.yaml. Base: `data_platform.facets.backup`."""
