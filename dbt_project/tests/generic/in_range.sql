{#- Every value that is there lies between `above` (exclusive) or `min` and `below` (exclusive) or `max`. -#}
{% test in_range(model, column_name, min=none, max=none, above=none, below=none) %}
    {%- set bounds = [] -%}
    {%- if min is not none %}{% do bounds.append(column_name ~ ' < ' ~ min) %}{% endif -%}
    {%- if max is not none %}{% do bounds.append(column_name ~ ' > ' ~ max) %}{% endif -%}
    {%- if above is not none %}{% do bounds.append(column_name ~ ' <= ' ~ above) %}{% endif -%}
    {%- if below is not none %}{% do bounds.append(column_name ~ ' >= ' ~ below) %}{% endif -%}
    {%- if not bounds %}{{ exceptions.raise_compiler_error("in_range needs min, max, above or below") }}{% endif %}
    select {{ column_name }}
    from {{ model }}
    where {{ bounds | join(' or ') }}
{% endtest %}
