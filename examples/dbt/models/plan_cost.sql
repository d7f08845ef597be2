-- The cost of reading the plan, one row per file: tiles shared by several fields are counted once.
select
    id,
    href,
    count(*) as fields,
    len(list_distinct(flatten(list(tiles)))) as tiles,
    len(cog_byte_ranges(flatten(list(tiles)))) as requests,
    list_sum([r.range_length for r in cog_byte_ranges(flatten(list(tiles)))])::bigint as bytes
from {{ ref('tile_plan') }}
group by id, href
