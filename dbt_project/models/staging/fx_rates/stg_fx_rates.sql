{{ config(materialized='by_period', period='rate_date') }}

select
    cast(rate_date as date) as rate_date,
    cast(currency as varchar) as currency,
    cast(rate as decimal(18, 8)) as rate,
    cast(source_file as varchar) as source_file,
    cast(ingested_at as timestamp(6) with time zone) as ingested_at
from {{ source('raw', 'fx_rates') }}
