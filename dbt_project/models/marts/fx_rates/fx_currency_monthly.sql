{{ config(materialized='by_period', period='month') }}

with daily as (
    select
        currency,
        rate_date,
        rate,
        lag(rate) over (partition by currency order by rate_date) as previous_rate,
        lag(rate_date) over (partition by currency order by rate_date) as previous_date
    from {{ ref('fx_rates_daily') }}
),

returns as (
    select
        currency,
        cast(date_trunc('month', rate_date) as date) as month,
        rate_date,
        rate,
        if(
            date_diff('day', previous_date, rate_date) <= {{ var('fx_longest_pause_days') }},
            ln(cast(rate as double) / cast(previous_rate as double))
        ) as log_return
    from daily
)

select
    currency,
    month,
    min_by(rate, rate_date) as first_rate,
    max_by(rate, rate_date) as last_rate,
    min(rate) as min_rate,
    max(rate) as max_rate,
    avg(rate) as mean_rate,
    cast(count(*) as integer) as days,
    -- Rounded, so that the order in which workers add up does not show.
    round(stddev_samp(log_return), 12) as volatility,
    round(stddev_samp(log_return) * sqrt({{ var('trading_days_a_year') }}), 12) as volatility_annualised
from returns
group by currency, month
