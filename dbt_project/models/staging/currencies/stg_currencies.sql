select
    cast(code as varchar) as currency,
    cast(numeric_code as varchar) as numeric_code,
    cast(name_fr as varchar) as name_fr,
    cast(name_en as varchar) as name_en,
    cast(source_file as varchar) as source_file
from {{ source('raw', 'currencies') }}
