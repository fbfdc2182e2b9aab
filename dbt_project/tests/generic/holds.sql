{#- The condition is true for every row; null is a failure too. -#}
{% test holds(model, condition) %}
    select *
    from {{ model }}
    where not coalesce({{ condition }}, false)
{% endtest %}
