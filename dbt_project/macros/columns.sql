{#-
    Columns of `create table` with their descriptions, which dbt would otherwise write afterwards, one commit each.
    Everything else as in dbt's table_columns_and_constraints().
-#}
{% macro trino__get_table_columns_and_constraints() %}
    {%- set rendered = adapter.render_raw_columns_constraints(raw_columns=model['columns']) -%}
    {%- set columns = model['columns'].values() | list -%}
    (
    {% for column in rendered %}
        {{ column }}
        {%- if columns[loop.index0].description %} comment '{{ columns[loop.index0].description | trim | replace("'", "''") }}'{% endif -%}
        {{ ',' if not loop.last }}
    {% endfor %}
    )
{% endmacro %}
