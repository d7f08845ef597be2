-- What reading the plan would cost, a row a file: a tile that several fields share is counted once.
select
    id,
    href,
    count(*) as fields,
    len(list_distinct(flatten(list(tiles)))) as tiles,
    len(cog_byte_ranges(flatten(list(tiles)))) as requests,
    list_sum([r.range_length for r in cog_byte_ranges(flatten(list(tiles)))])::bigint as bytes
from {{ ref('tile_plan') }}
group by id, href
