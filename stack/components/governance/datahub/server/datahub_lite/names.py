"""One table, one name: what OpenLineage calls a data set, and DataHub's URN for it.

A table of an Iceberg catalog is always platform `iceberg`, name `<catalog>.<schema>.<table>`, whoever reports it. Spark
names such a table by its path in the object store, and says in facets which table it is; later mentions of the path
(the inputs of column lineage) come without facets, so what was learnt is remembered.
"""

from __future__ import annotations

from collections.abc import Callable

from datahub.emitter.mce_builder import make_dataset_urn
from pydantic import BaseModel, Field

from datahub_lite.rules import Rules

#: Environment of all URNs.
ENV = "PROD"
_ICEBERG = "iceberg"
_TABLE = "TABLE"
#: Schemes of OpenLineage that DataHub's own Airflow plugin names differently; paths keep their bucket.
_SCHEMES = {"sqlserver": "mssql", "awsathena": "athena"}
_PATHS = {
    "s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "abs", "abfss": "abs", "wasb": "abs",
    "wasbs": "abs", "dbfs": "dbfs", "file": "file",
}  # fmt: skip


class Identifier(BaseModel):
    """Another name of a data set."""

    namespace: str = ""
    name: str
    type: str = ""


class Symlinks(BaseModel):
    """Facet: all other names."""

    identifiers: list[Identifier] = []


class Catalog(BaseModel):
    """Facet: the catalog that the table is in."""

    framework: str = ""
    name: str = ""


class Storage(BaseModel):
    """Facet: the table format."""

    storage_layer: str = Field("", alias="storageLayer")


class NameFacets(BaseModel):
    """The facets that say which table a data set is."""

    symlinks: Symlinks = Symlinks()
    catalog: Catalog = Catalog()
    storage: Storage = Storage(storageLayer="")


class Names:
    """Finds URNs, and collects what it learns on the way in `learnt`."""

    def __init__(self, known: Callable[[str, str], str | None], rules: Rules) -> None:
        """Prepare for one event.

        Args:
            known: the URN of a (namespace, name) that an earlier event explained.
            rules: declared renamings.
        """
        self.learnt: dict[tuple[str, str], str] = {}
        self._known = known
        self._rules = rules

    def learn(self, namespace: str, name: str, facets: NameFacets) -> None:
        """Remember what the facets of a data set say."""
        tables = [i for i in facets.symlinks.identifiers if i.type == _TABLE]
        layers = (facets.catalog.framework.lower(), facets.storage.storage_layer.lower())
        if not tables or _ICEBERG not in layers:
            return
        # Without its catalog a table has no full name, but its other name may be known from an event that told it.
        other = (tables[0].namespace, tables[0].name)
        urn = (
            make_dataset_urn(_ICEBERG, f"{facets.catalog.name}.{tables[0].name}", ENV) if facets.catalog.name else None
        )
        urn = urn or self.learnt.get(other) or self._known(*other)
        if urn:
            self.learnt |= {(namespace, name): urn, other: urn}

    def urn(self, namespace: str, name: str) -> str | None:
        """The URN of a data set; None when a rule leaves it out."""
        learnt = self.learnt.get((namespace, name)) or self._known(namespace, name)
        return self._rules.urn(learnt or self._translated(namespace, name))

    @staticmethod
    def _translated(namespace: str, name: str) -> str:
        scheme, _, place = namespace.partition("://")
        scheme = scheme.lower()
        if scheme in _PATHS:
            path = f"{place.rstrip('/')}/{name.lstrip('/')}".rstrip("/")
            platform = _PATHS[scheme]
            return make_dataset_urn(platform, path if platform == "file" else path.lstrip("/"), ENV)
        return make_dataset_urn(_SCHEMES.get(scheme, scheme), name, ENV)
