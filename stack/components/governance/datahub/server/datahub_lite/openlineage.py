"""OpenLineage events to changes of the store: datasets, job, and lineage of tables and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from datahub.emitter import mce_builder as make
from datahub.metadata import schema_classes as s
from datahub.metadata.urns import DatasetUrn
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datahub_lite.errors import InvalidError
from datahub_lite.names import ENV, NameFacets, Names
from datahub_lite.rules import Rules
from datahub_lite.store import Change, Verb, change_of

_COMPLETE = "COMPLETE"
#: By the first word of the type that a schema facet gives.
_TYPES: dict[str, type[Any]] = {
    "boolean": s.BooleanTypeClass, "binary": s.BytesTypeClass, "bytes": s.BytesTypeClass, "varbinary": s.BytesTypeClass,
    "string": s.StringTypeClass, "varchar": s.StringTypeClass, "char": s.StringTypeClass, "uuid": s.StringTypeClass,
    "text": s.StringTypeClass, "date": s.DateTypeClass, "timestamp": s.TimeTypeClass, "timestamptz": s.TimeTypeClass,
    "time": s.TimeTypeClass, "array": s.ArrayTypeClass, "list": s.ArrayTypeClass, "map": s.MapTypeClass,
    "struct": s.RecordTypeClass, "row": s.RecordTypeClass, "record": s.RecordTypeClass,
    **dict.fromkeys(
        ("byte", "tinyint", "short", "smallint", "int", "integer", "long", "bigint", "float", "real", "double",
         "decimal", "numeric"), s.NumberTypeClass,
    ),
}  # fmt: skip


class _Event(BaseModel):
    """What is read of an event; the rest of it is ignored."""

    model_config = ConfigDict(populate_by_name=True)


class _Column(_Event):
    name: str
    type: str = ""
    description: str | None = None


class _Schema(_Event):
    fields_: list[_Column] = Field(default_factory=list, alias="fields")


class _Transformation(_Event):
    type: str = ""


class _InputField(_Event):
    namespace: str
    name: str
    field: str
    transformations: list[_Transformation] = []


class _OutputField(_Event):
    input_fields: list[_InputField] = Field(default_factory=list, alias="inputFields")


class _ColumnLineage(_Event):
    fields_: dict[str, _OutputField] = Field(default_factory=dict, alias="fields")


class _Facets(NameFacets):
    model_config = ConfigDict(populate_by_name=True)

    columns: _Schema = Field(default_factory=_Schema, alias="schema")
    column_lineage: _ColumnLineage = Field(default_factory=_ColumnLineage, alias="columnLineage")


class _Dataset(_Event):
    namespace: str
    name: str = Field(min_length=1)
    facets: _Facets = Field(default_factory=_Facets)


class _JobType(_Event):
    integration: str = ""


class _JobFacets(_Event):
    job_type: _JobType = Field(default_factory=_JobType, alias="jobType")


class _Job(_Event):
    namespace: str
    name: str = Field(min_length=1)
    facets: _JobFacets = Field(default_factory=_JobFacets)


class _Engine(_Event):
    name: str = ""


class _RunFacets(_Event):
    engine: _Engine = Field(default_factory=_Engine, alias="processing_engine")


class _Run(_Event):
    facets: _RunFacets = Field(default_factory=_RunFacets)


class RunEvent(_Event):
    """A run's change of state."""

    event_type: str = Field(alias="eventType")
    run: _Run
    job: _Job
    inputs: list[_Dataset] = []
    outputs: list[_Dataset] = []


def convert(
    body: object, known: Callable[[str, str], str | None], rules: Rules
) -> tuple[list[Change], dict[tuple[str, str], str]]:
    """Changes and learnt names of an event.

    Only a COMPLETE tells what was read and written; earlier events may name other paths for the same tables. From those
    only the names are learnt.

    Args:
        body: the event, as JSON gives it.
        known: see Names.
        rules: declared renamings; what they leave out is left out here.

    Raises:
        InvalidError: it is no run event.
    """
    try:
        event = RunEvent.model_validate(_without_nulls(body))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidError(
            f"not an OpenLineage run event: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None
    names = Names(known, rules)
    datasets = [*event.inputs, *event.outputs]
    for dataset in datasets:
        names.learn(dataset.namespace, dataset.name, dataset.facets)
    changes = list(_changes(event, names)) if event.event_type.upper() == _COMPLETE and datasets else []
    # Names of what is left out would only pile up: checks make a new one every hour.
    return changes, {name: urn for name, urn in names.learnt.items() if rules.urn(urn)}


def _without_nulls(value: Any) -> Any:
    """The value without what is null: clients write null for what they leave out."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value if item is not None] if isinstance(value, list) else value


def _changes(event: RunEvent, names: Names) -> Iterator[Change]:
    inputs, outputs = ([*_named(datasets, names)] for datasets in (event.inputs, event.outputs))
    if event.outputs and not outputs:
        return  # it wrote nothing but what the rules leave out
    # A table that is read and written is described once, as it was after the run.
    for urn, dataset in dict([*inputs, *outputs]).items():
        yield from _dataset(dataset, urn)
    columns: list[s.FineGrainedLineageClass] = []
    for output, dataset in outputs:
        fine = [*_columns(dataset, output, names)]
        columns += fine
        fields = (names.urn(f.namespace, f.name) for f in _input_fields(dataset))
        # Statements such as MERGE read their own target: no edge from a table to itself.
        upstreams = [
            s.UpstreamClass(dataset=urn, type=s.DatasetLineageTypeClass.TRANSFORMED)
            for urn in dict.fromkeys([*(urn for urn, _ in inputs), *fields])
            if urn and urn != output
        ]
        if upstreams:
            lineage = s.UpstreamLineageClass(upstreams=upstreams, fineGrainedLineages=fine or None)
            yield change_of(output, lineage, Verb.MERGE)
    yield from _job(event, [*dict(inputs)], [*dict(outputs)], columns)


def _named(datasets: Iterable[_Dataset], names: Names) -> Iterator[tuple[str, _Dataset]]:
    for dataset in datasets:
        if urn := names.urn(dataset.namespace, dataset.name):
            yield urn, dataset


def _dataset(dataset: _Dataset, urn: str) -> Iterator[Change]:
    parsed = DatasetUrn.from_string(urn)
    platform, name = parsed.platform, parsed.name
    yield change_of(urn, s.StatusClass(removed=False))
    yield change_of(urn, s.DataPlatformInstanceClass(platform=platform))
    location = f"{dataset.namespace.rstrip('/')}/{dataset.name.lstrip('/')}"
    properties = {"name": name.rpartition(".")[2], "qualifiedName": name, "customProperties": {"location": location}}
    # Merged: a description that another producer gave stays.
    yield Change(urn, "datasetProperties", properties, Verb.MERGE)
    if columns := dataset.facets.columns.fields_:
        yield change_of(
            urn,
            s.SchemaMetadataClass(
                schemaName=name,
                platform=platform,
                version=0,
                hash="",
                platformSchema=s.OtherSchemaClass(rawSchema=""),
                fields=[_field(column) for column in columns],
            ),
        )


def _field(column: _Column) -> s.SchemaFieldClass:
    word = "".join(c if c.isalnum() else " " for c in column.type.lower()).split(" ")[0]
    return s.SchemaFieldClass(
        fieldPath=column.name,
        nativeDataType=column.type,
        description=column.description,
        type=s.SchemaFieldDataTypeClass(type=_TYPES.get(word, s.NullTypeClass)()),
    )


def _input_fields(dataset: _Dataset) -> Iterable[_InputField]:
    return (field for output in dataset.facets.column_lineage.fields_.values() for field in output.input_fields)


def _columns(dataset: _Dataset, output: str, names: Names) -> Iterator[s.FineGrainedLineageClass]:
    for column, source in dataset.facets.column_lineage.fields_.items():
        # A column of a join or filter decides about rows, not about the value.
        upstreams = {
            make.make_schema_field_urn(urn, f.field)
            for f in source.input_fields
            if (urn := names.urn(f.namespace, f.name)) and urn != output
            if not f.transformations or any(t.type.upper() != "INDIRECT" for t in f.transformations)
        }
        if upstreams:
            yield s.FineGrainedLineageClass(
                upstreamType=s.FineGrainedLineageUpstreamTypeClass.FIELD_SET,
                downstreamType=s.FineGrainedLineageDownstreamTypeClass.FIELD,
                upstreams=sorted(upstreams),
                downstreams=[make.make_schema_field_urn(output, column)],
            )


def _job(
    event: RunEvent, inputs: list[str], outputs: list[str], columns: list[s.FineGrainedLineageClass]
) -> Iterator[Change]:
    job = event.job
    kind = (job.facets.job_type.integration or event.run.facets.engine.name or "openlineage").lower()
    flow_name, _, task = job.name.partition(".")
    # A DAG id is unique in its Airflow; names of other jobs only in their namespace.
    flow_id = flow_name if kind == "airflow" else f"{job.namespace}.{flow_name}"
    flow = make.make_data_flow_urn(kind, flow_id, ENV)
    urn = make.make_data_job_urn_with_flow(flow, task or flow_name)
    yield change_of(flow, s.DataFlowInfoClass(name=flow_name, env=ENV), Verb.MERGE)
    yield change_of(urn, s.DataJobInfoClass(name=task or flow_name, type="COMMAND", flowUrn=flow), Verb.MERGE)
    lineage = s.DataJobInputOutputClass(
        inputDatasets=inputs, outputDatasets=outputs, fineGrainedLineages=columns or None
    )
    yield change_of(urn, lineage, Verb.MERGE)
