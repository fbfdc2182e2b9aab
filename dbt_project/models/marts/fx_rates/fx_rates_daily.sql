{{ config(materialized='by_period', period='rate_date') }}

{#- The legal parity: see the description of xof_per_unit. -#}
{% set xof_per_eur = "decimal '655.957'" %}

with published as (
    select
        rate_date,
        currency,
        rate,
        'published' as origin
    from {{ ref('stg_fx_rates') }}
),

-- The list is quoted in euro and the CFA franc is tied to it by law, so neither is in it. With them, every pair of
-- currencies is a join of two rows of a day. A rate that is published wins.
fixed as (
    select
        days.rate_date,
        legal.currency,
        legal.rate,
        'fixed' as origin
    from (select distinct rate_date from published) as days
    cross join (
        values
        ('EUR', cast(1 as decimal(18, 8))),
        ('XOF', cast({{ xof_per_eur }} as decimal(18, 8)))
    ) as legal (currency, rate)
    where not exists (
        select 1
        from published
        where published.rate_date = days.rate_date and published.currency = legal.currency
    )
),

rates as (
    select * from published
    union all
    select * from fixed
)

select
    rate_date,
    currency,
    rate,
    -- Trino divides decimals exactly and rounds the last digit half away from zero; the dividend's type gives it 12.
    cast(cast({{ xof_per_eur }} as decimal(25, 12)) / rate as decimal(24, 12)) as xof_per_unit,
    cast(origin as varchar) as origin
from rates
