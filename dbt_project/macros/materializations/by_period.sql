{#-
    A table that is kept period by period (day, month): the model says what the whole table is to be, and only periods
    whose rows would be others are written.

    Content is compared (a checksum over all columns), not time stamps: a file that comes late with an old time stamp is
    found, rows and periods that are gone are removed, and a run that was cut off is mended by the next one. So it ends
    with the same rows as a full refresh. Nothing changed: nothing is written, and there is nothing to publish.

    Why not `incremental` with delete+insert: this catalog has no views, so that makes, fills and drops a table beside
    it with a commit for each step, writes even where nothing changed, and keeps periods that its source no longer has.

    Config:
        period: column of type date that says which period a row belongs to
        most_periods: where more of them changed, the table is made anew (default 400)
-#}
{% materialization by_period, adapter='trino', supported_languages=['sql'] %}
    {%- set period = config.require('period') -%}
    {%- set most = config.get('most_periods', 400) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}

    {%- set changed = none -%}
    {%- if existing is not none and not should_full_refresh() and by_period_is_as_described(existing) -%}
        {%- set changed = by_period_changed(existing, sql, period, most) -%}
    {%- endif -%}

    {%- if changed is none or changed | length > most -%}
        {%- call statement('main') -%}
            {{ trino__create_table_as(False, target_relation, sql, on_exists='replace') }}
        {%- endcall -%}
    {%- elif changed -%}
        {#- As literals, so that both statements read the files of these periods and no others. -#}
        {%- set chosen -%}
            {{ period }} in ({% for value in changed %}date '{{ value }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- endset -%}
        {%- do log(model.name ~ ': changed: ' ~ changed | join(', '), info=changed | length <= 12) -%}
        {%- call statement('main') -%}
            delete from {{ target_relation }} where {{ chosen }};

            insert into {{ target_relation }} ({{ by_period_columns() }})
            select {{ by_period_columns() }}
            from ({{ sql }}) as wanted
            where {{ chosen }}
        {%- endcall -%}
    {%- else -%}
        {%- call noop_statement('main', message='NOTHING CHANGED', code='SKIP', rows_affected=0) -%}
            -- nothing changed
        {%- endcall -%}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro by_period_columns() -%}
    {%- if not model.columns -%}
        {{ exceptions.raise_compiler_error(model.name ~ ": by_period needs the columns in the model's yml") }}
    {%- endif -%}
    {{ model.columns.keys() | join(', ') }}
{%- endmacro %}


{#- Whether the table has the columns of the yml, with their types; otherwise it is made anew. -#}
{% macro by_period_is_as_described(existing) %}
    {%- set there, wanted = {}, {} -%}
    {%- for column in adapter.get_columns_in_relation(existing) -%}
        {%- do there.update({column.name | lower: column.data_type | lower | replace(' ', '')}) -%}
    {%- endfor -%}
    {%- for name, column in model.columns.items() -%}
        {%- do wanted.update({name | lower: column.data_type | lower | replace(' ', '')}) -%}
    {%- endfor -%}
    {{ return(there == wanted) }}
{% endmacro %}


{#- Periods whose rows in the table are not the rows of the query: changed, new, or gone. At most `most` + 1 of them. -#}
{% macro by_period_changed(existing, sql, period, most) %}
    {%- call statement('changed', fetch_result=True) -%}
        with wanted as (
            select {{ period }} as period, checksum(row({{ by_period_columns() }})) as content
            from ({{ sql }}) as wanted_rows
            group by 1
        ),
        present as (
            select {{ period }} as period, checksum(row({{ by_period_columns() }})) as content
            from {{ existing }}
            group by 1
        )
        select cast(coalesce(wanted.period, present.period) as varchar) as period
        from wanted
        full outer join present on wanted.period = present.period
        where wanted.content is distinct from present.content
        order by 1
        limit {{ most + 1 }}
    {%- endcall -%}
    {{ return(load_result('changed').table.columns[0].values() | list) }}
{% endmacro %}
