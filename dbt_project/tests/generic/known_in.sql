{#- Every value that is there is one of `field` in the relation `to`. dbt's own `relationships` joins each pair of rows:
    with keys that repeat on both sides those are millions. -#}
{% test known_in(model, column_name, to, field) %}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} not in (select {{ field }} from {{ to }} where {{ field }} is not null)
{% endtest %}
