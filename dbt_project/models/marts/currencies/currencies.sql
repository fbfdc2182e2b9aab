select
    currency,
    numeric_code,
    name_fr,
    name_en
from {{ ref('stg_currencies') }}
